"""vfplan.collect policy=planner: data of the closed loop, the same bytes for any number of workers."""

import json
import shutil

import numpy as np
import pytest

from tests.refusal import refused
from vfplan.collect import main
from vfplan.data.store import EpisodeStore
from vfplan.models.checkpoint import load_checkpoint

HOLD = "env.hold={lift:-1,close:1}"
QUICK = 'settings="planner.samples=4 planner.elites=2 planner.iterations=1"'
SMALL = ["policy=planner", "env.length=5", "shard_episodes=3", "exploration.lockstep=2", HOLD, QUICK, "device=cpu"]


@pytest.fixture(scope="module")
def collect(run, tmp_path_factory):
    record = tmp_path_factory.mktemp("record")

    def collect(out, *arguments):
        given = [f"checkpoint={run / 'checkpoint'}", f"out={out}", f"run_dir={record}", "episodes=4", "workers=1"]
        main([*SMALL, *given, *arguments])
        return EpisodeStore.open(out)

    return collect


@pytest.fixture(scope="module")
def expected(collect, tmp_path_factory):
    """Two shards, of three episodes and of one."""
    return collect(tmp_path_factory.mktemp("expected") / "store")


def test_the_store_does_not_depend_on_the_number_of_workers(expected, collect, tmp_path):
    store = collect(tmp_path / "store", "workers=2")
    store.verify()
    assert store.digest == expected.digest
    for name in ("meta.json", "manifest.jsonl"):
        assert (store.path / name).read_bytes() == (expected.path / name).read_bytes()


def test_a_store_that_was_cut_goes_on_to_the_same_bytes(expected, collect, tmp_path):
    shutil.copytree(expected.path, tmp_path / "store")
    lines = (tmp_path / "store" / "manifest.jsonl").read_text().splitlines()
    (tmp_path / "store" / "manifest.jsonl").write_text(lines[1] + "\n")
    kept = (tmp_path / "store" / "shard-00001" / "frames.npy").stat().st_mtime_ns
    store = collect(tmp_path / "store")
    assert store.digest == expected.digest
    assert (store.path / "shard-00001" / "frames.npy").stat().st_mtime_ns == kept


def test_episodes_start_apart_and_tell_who_acted(expected):
    first, second = expected.episode(0), expected.episode(1)
    assert first.policy == "planner" and first.hand.shape == (6, 3) and first.object_xy.shape == (6, 1, 2)
    assert (first.frames[0] != second.frames[0]).any() and (first.actions != second.actions).any()


def test_noise_is_on_a_share_of_the_actions_and_never_on_what_is_held(collect, tmp_path):
    plain = collect(tmp_path / "plain", "exploration.noise=0", "env.length=2")
    noisy = collect(tmp_path / "noisy", "exploration.noise=0.5", "env.length=2")
    told, done = ([store.episode(index).actions for index in range(4)] for store in (plain, noisy))
    # Until the first noise both do what the same plan says; after it the plans differ too.
    changed = [(was[0, :2] != now[0, :2]).any() for was, now in zip(told, done, strict=True)]
    assert 0 < sum(changed) < 4
    for actions in (*told, *done):
        np.testing.assert_array_equal(actions[:, 2:], np.tile(np.float32([-1, 1]), (2, 1)))
        assert np.abs(actions).max() <= 1


def test_new_goals_change_what_is_done(expected, collect, tmp_path):
    store = collect(tmp_path / "store", "exploration.goal_actions=2")
    same = [store.episode(index).actions == expected.episode(index).actions for index in range(4)]
    assert all(match[:2].all() for match in same) and not all(match[2:].all() for match in same)


def test_the_record_names_the_weights_and_another_checkpoint_is_refused(expected, run, tmp_path, capsys):
    loop = expected.meta.description["closed_loop"]
    assert expected.meta.policy == "planner" and loop["planner"]["samples"] == 4
    assert loop["checkpoint_sha256"] == load_checkpoint(run / "checkpoint").sha256
    edited = tmp_path / "store"
    shutil.copytree(expected.path, edited)
    meta = json.loads((edited / "meta.json").read_text())
    meta["description"]["closed_loop"]["checkpoint_sha256"] = "0" * 64
    (edited / "meta.json").write_text(json.dumps(meta))
    given = [*SMALL, f"checkpoint={run / 'checkpoint'}", f"out={edited}", f"run_dir={tmp_path / 'r'}", "episodes=4"]
    assert "collected with description.closed_loop.checkpoint_sha256=0000" in refused(capsys, main, given)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["env=push_occluded", "policy=planner"], "no checkpoint ships for env=push_occluded"),
        (["policy=planner", "checkpoint=/nowhere"], "no checkpoint at /nowhere"),
        (["policy=planner", "env=push_bair", "checkpoint={run}"], "was trained on name=push, but env=push_bair"),
        (["policy=planner", "env.num_objects=2", "checkpoint={run}"], "another scene than env=push has now: its mjcf"),
        (["policy=planner", "env=gym", "env.id=Pusher-v5", "checkpoint={run}"], "which env=gym cannot give"),
        (["checkpoint={run}"], "checkpoint= is for policy=planner; policy=auto plans with no model"),
        (["policy=noise", QUICK], "settings= is for policy=planner"),
        (["policy=planner", 'settings="planner.smaples=4"'], "settings: unknown key 'planner.smaples'"),
        (["policy=planner", 'settings="num_tasks=4"'], "settings: expected those of vfplan.plan for planner, cost"),
        (["policy=planner", "exploration.noise=2"], "exploration.noise must be in [0, 1], got 2.0"),
        (["policy=planner", "exploration.lockstep=0"], "exploration.lockstep must be in [1, 10000], got 0"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(arguments, words, run, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = [argument.format(run=run / "checkpoint") if "{run}" in argument else argument for argument in arguments]
    assert words in refused(capsys, main, [*given, "episodes=1", "device=cpu"])
    assert list(tmp_path.iterdir()) == []
