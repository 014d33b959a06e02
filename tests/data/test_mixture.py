import re

import numpy as np
import pytest

from tests.data.conftest import LENGTH, collect, make_meta
from vfplan.data.mixture import Mixture
from vfplan.data.store import EpisodeStore
from vfplan.data.windows import WindowSampler
from vfplan.errors import UserError

ABOUT = {"image_size": 12, "renderer": "ray-1", "action_scale": 0.05, "config": {"name": "push", "length": 30}}


@pytest.fixture
def make(tmp_path):
    """Makes a store of so many episodes; `about` changes its description, `meta` the rest of its record."""

    def make(name, episodes=8, about=None, **meta):
        description = {**ABOUT, **(about or {})}
        collect(tmp_path / name, make_meta(episodes=episodes, description=description, **meta))
        return tmp_path / name

    return make


def sampler(paths, shares=None, *, held_out=1, seed=0, length=3):
    return Mixture.open(paths, shares, held_out).sampler(length, seed, lead_in=1)


def sources(batch):
    """From which of two stores each window is: the episodes of the second are those from number 8 on."""
    return batch.frames[:, 0, 0, 0, 0] >= 80


@pytest.fixture
def two(make, monkeypatch):
    """Two stores, the episodes of whose second one are numbered from 8 on."""
    import tests.data.conftest as made

    first, plain = make("first"), made.make_episode
    monkeypatch.setattr(made, "make_episode", lambda index: plain(index + 8))
    return [first, make("second")]


@pytest.mark.parametrize("shares", [None, [1.0]])
def test_one_store_gives_the_batches_that_its_own_sampler_gives(make, shares):
    path = make("one")
    expected = WindowSampler(EpisodeStore.open(path), 3, seed=4, episodes=range(7), lead_in=1)
    mixed = sampler([path], shares, seed=4)
    for step in range(5):
        for found, wanted in zip(mixed.batch(step, 16), expected.batch(step, 16), strict=True):
            assert found.tobytes() == wanted.tobytes()


def test_batches_of_one_store_are_those_of_earlier_versions(folder):
    """The draws from before there were several stores: runs of then go on with the same data."""
    batch = WindowSampler(EpisodeStore.open(folder), 3, seed=5, episodes=range(7), lead_in=1).batch(2, 8)
    rng = np.random.default_rng((5, 2))
    episodes, starts = rng.integers(7, size=8), rng.integers(-1, LENGTH - 1, size=8)
    np.testing.assert_array_equal(batch.frames[:, 2, 0, 0, 0], 10 * episodes + starts + 2)


def test_a_batch_is_a_function_of_seed_and_step(two):
    mixed, again = sampler(two, [0.5, 0.5]), sampler(two, [0.5, 0.5])
    expected = [mixed.batch(step, 6).frames for step in range(6)]
    np.testing.assert_array_equal(again.batch(5, 6).frames, expected[5])
    assert len({frames.tobytes() for frames in expected}) == 6
    assert sampler(two, [0.5, 0.5], seed=1).batch(5, 6).frames.tobytes() != expected[5].tobytes()


def test_a_window_comes_from_a_store_with_its_share_wherever_it_stands_in_the_batch(two):
    mixed = sampler(two, [0.2, 0.8])
    found = np.stack([sources(mixed.batch(step, 8)) for step in range(500)])
    np.testing.assert_allclose(found.mean(axis=0), 0.8, atol=0.07)  # 4 standard deviations
    assert found.mean() == pytest.approx(0.8, abs=0.025)


def test_frames_stay_with_their_actions(two):
    batch = sampler(two, [0.5, 0.5], length=2).batch(0, 200)
    episode, step = np.divmod(batch.frames[:, 0, 0, 0, 0].astype(int), 10)
    moves = batch.frames[:, 1, 0, 0, 0] != batch.frames[:, 0, 0, 0, 0]  # else before the episode, at rest
    np.testing.assert_allclose(batch.actions[moves, 0, 0], (episode + step / 10)[moves], rtol=1e-6)
    assert 0 < moves.sum() < 200 and 0 < sources(batch).sum() < 200


def test_stores_of_equal_size_do_not_show_the_same_episodes_side_by_side(two):
    batch = sampler(two, [0.5, 0.5]).batch(0, 400)
    episodes = batch.frames[:, -1, 0, 0, 0] // 10
    second = sources(batch)
    shared = min(second.sum(), (~second).sum())
    assert (episodes[second][:shared] - 8 != episodes[~second][:shared]).any()


def test_the_last_episodes_of_each_store_are_held_out_and_the_first_validates(two):
    data = Mixture.open(two, None, 3)
    assert data.first.path == two[0] and data.validation == [5, 6, 7]
    seen = set()
    for step in range(20):
        seen |= set((data.sampler(3, 0).batch(step, 50).frames[:, 0, 0, 0, 0] // 10).tolist())
    assert seen == {*range(5), *range(8, 13)}


def test_without_shares_all_episodes_count_alike(make):
    data = Mixture.open([make("large", 12), make("small", 5)], None, 2)
    assert data.shares == (10 / 13, 3 / 13)


def test_episodes_may_be_of_different_lengths(make):
    """Nothing of a scene; a window must fit into each."""
    long = make("long", about={"config": {"name": "push", "length": 60, "hold": {"lift": -1}}})
    Mixture.open([make("short"), long], None, 1)
    with pytest.raises(UserError, match=f"windows of {LENGTH + 2} frames, but .*short has episodes of"):
        sampler([make("short"), long], length=LENGTH + 2)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"env": "push_slip"}, "env=push_slip, but {first} has env=push:"),
        ({"about": {"renderer": "gl-1"}}, "renderer=gl-1, but {first} has renderer=ray-1:"),
        ({"about": {"action_scale": 0.1}}, "action_scale=0.1, but {first} has action_scale=0.05:"),
        ({"about": {"config": {"name": "push", "wind": 0.1}}}, "env.wind=0.1, but {first} has env.wind=0.0:"),
    ],
)
def test_stores_of_two_scenes_are_refused(make, changes, words):
    first = make("first", about={"config": {"name": "push", "wind": 0.0}})
    other = make("other", **changes)
    with pytest.raises(UserError, match=re.escape(f"{other} has {words.format(first=first)}")):
        Mixture.open([first, other], None, 1)


def test_what_only_one_store_says_is_no_difference(make):
    """As a store of an older version says less."""
    Mixture.open([make("older"), make("newer", about={"switches": ["lift"]})], None, 1)


def test_each_store_must_leave_episodes_to_train_on(make):
    with pytest.raises(UserError, match=r"small has 3 episodes; validation_episodes=3 leaves none"):
        Mixture.open([make("large"), make("small", 3)], None, 3)
