"""Episodes that an environment ends keep their length: no window, statistic or test reads beyond it."""

import dataclasses

import numpy as np
import pytest

from tests.commands.tiny import TINY
from tests.data.conftest import LENGTH, make_episode, make_meta
from tests.refusal import refused
from vfplan.collect import main as collect
from vfplan.data.records import read_manifest
from vfplan.data.store import EpisodeStore
from vfplan.data.windows import WindowSampler
from vfplan.data.writing import prepare_store, write_manifest, write_shard
from vfplan.evaluate import main as evaluate
from vfplan.train import main as train

LENGTHS = [6, 3, 1, 6, 2, 5, 4, 6]


def cut(episode, length):
    steps = {name: length + (name != "actions") for name in ("frames", "actions", "hand", "object_xy")}
    return dataclasses.replace(episode, **{name: getattr(episode, name)[:count] for name, count in steps.items()})


@pytest.fixture
def store(tmp_path):
    meta, records = make_meta(), []
    prepare_store(tmp_path, meta)
    for shard in range(meta.num_shards):
        episodes = meta.shard_range(shard)
        made = [cut(make_episode(index), LENGTHS[index]) for index in episodes]
        records.append(write_shard(tmp_path, shard, episodes.start, made, LENGTH))
    write_manifest(tmp_path, records)
    return EpisodeStore.open(tmp_path)


def test_every_episode_comes_back_with_its_length(store):
    assert store.lengths.tolist() == LENGTHS
    for index, length in enumerate(LENGTHS):
        stored, made = store.episode(index), cut(make_episode(index), length)
        assert len(stored) == length
        for name in ("frames", "actions", "hand", "object_xy"):
            np.testing.assert_array_equal(getattr(stored, name), getattr(made, name))
    store.verify()


def test_windows_are_uniform_over_clips_and_end_in_time(store):
    sampler = WindowSampler(store, 3, seed=0)
    episodes, starts = sampler.choose(np.random.default_rng(0), 20_000)
    clips = [(episode, start) for episode, length in enumerate(LENGTHS) for start in range(length - 1)]
    counts = [sum(pair == clip for pair in zip(episodes, starts, strict=True)) for clip in clips]
    assert sum(counts) == 20_000  # no other clip is drawn
    assert np.abs(np.array(counts) / 20_000 - 1 / len(clips)).max() < 0.005


def test_a_lead_in_adds_clips_before_the_start(store):
    sampler = WindowSampler(store, 3, seed=0, lead_in=2)
    episodes, starts = sampler.choose(np.random.default_rng(0), 5_000)
    drawn = set(zip(episodes, starts, strict=True))
    assert drawn == {(e, s) for e, length in enumerate(LENGTHS) if length > 1 for s in range(-2, length - 1)}


def test_a_store_of_full_episodes_says_nothing_of_lengths(tmp_path, store):
    meta = make_meta()
    prepare_store(tmp_path / "full", meta)
    record = write_shard(tmp_path / "full", 0, 0, map(make_episode, range(3)), LENGTH)
    assert record.lengths is None
    assert read_manifest(store.path, meta)[0].lengths == (6, 3, 1)


def test_half_of_the_episodes_decide_how_long_a_test_is(store):
    assert store.lasting(range(8)) == ([0, 3, 5, 7], 5)
    assert store.lasting([0, 3]) == ([0, 3], 6)


@pytest.fixture(scope="module")
def falling(tmp_path_factory):
    """An inverted pendulum, which falls after a few actions."""
    pytest.importorskip("gymnasium.envs.mujoco")
    folder = tmp_path_factory.mktemp("falling")
    given = ["env=gym", "env.id=tests.data.falling:vfplan-test/Falling-v0", "env.image_size=16", "episodes=24"]
    collect([*given, "workers=1", f"out={folder / 'data'}", f"run_dir={folder / 'record'}"])
    return folder


def test_no_stored_transition_is_without_effect(falling):
    store = EpisodeStore.open(falling / "data")
    assert store.lengths.min() >= 3 and store.lengths.max() <= 8
    for index in range(len(store)):
        frames = store.episode(index).frames.astype(int)
        assert (np.abs(np.diff(frames, axis=0)).max(axis=(1, 2, 3)) > 0).all()


def test_it_trains_and_is_evaluated_within_its_episodes(falling, capsys):
    model = ["model.past_frames=2", "learning.imagined_steps=0", "learning.history_noise=[0,0,0]"]
    run = falling / "run"
    train([f"data={falling / 'data'}", f"run_dir={run}", *TINY, *model])
    few = ["sample_episodes=2", "temperature_episodes=1", "long_episodes=1", "long_steps=5", "rollout_samples=2"]
    evaluate([f"data={falling / 'data'}", f"checkpoint={run / 'checkpoint'}", *few, f"run_dir={falling / 'page'}"])
    assert "likelihood.json" in capsys.readouterr().out


def test_episodes_too_short_for_the_model_are_one_line(falling, tmp_path, capsys):
    given = [f"data={falling / 'data'}", f"run_dir={tmp_path}", *TINY, "model.past_frames=9"]
    assert "has episodes of " in refused(capsys, train, given)
