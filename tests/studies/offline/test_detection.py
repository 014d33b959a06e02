"""The likelihood of wrong frames: told apart by a model that knows, not by one that finds all frames alike."""

import numpy as np
import torch

from tests.studies.offline.conftest import PAST, GaussianWorld, Replay, gaussian_store, trial
from vfplan.models.base import LogProb
from vfplan.studies.offline import bits, detection


class Indifferent(Replay):
    """Finds every frame equally likely."""

    def log_prob(self, context, actions, frames, rng):
        nats = torch.full(frames.shape[:2], -7.0)
        return LogProb(nats, nats[..., None])


def test_a_likelihood_that_separates_has_auroc_one(arena_store):
    numbers = detection.measure(trial(Replay(arena_store), arena_store)).numbers
    for kind in ("same_episode", "other_episode"):
        assert numbers[kind]["auroc"] == 1 and numbers[kind]["true_frame_wins"]["mean"] == 1


def test_a_constant_likelihood_has_auroc_one_half(arena_store):
    numbers = detection.measure(trial(Indifferent(arena_store), arena_store)).numbers
    for kind in ("same_episode", "other_episode"):
        assert numbers[kind]["auroc"] == 0.5 and numbers[kind]["true_frame_wins"]["mean"] == 0.5


def test_wrong_frames_are_neither_known_nor_right(arena_store):
    tested = trial(Replay(arena_store), arena_store)
    steps = detection._steps(tested)
    assert steps[0] == PAST and steps[-1] == arena_store.meta.length
    wrong = detection._wrong_frames(tested, steps)
    for episode in range(len(tested.true)):
        for column, step in enumerate(steps):
            near = tested.true[episode, step - PAST : step + 1]
            same = (tested.true[episode] == wrong["same_episode"][episode, column]).flatten(1).all(dim=1)
            assert same.any() and not same[step - PAST : step + 1].any() and len(near) == PAST + 1
            other = (tested.true == wrong["other_episode"][episode, column]).flatten(2).all(dim=2)
            assert other.any() and not other[episode].any()


def test_a_kind_of_wrong_frame_that_does_not_exist_is_named(tmp_path):
    store = gaussian_store(tmp_path / "short", length=PAST)
    numbers = detection.measure(trial(GaussianWorld(), store)).numbers
    assert numbers["absent"] == ["same_episode"] and "other_episode" in numbers


def test_bits_of_the_true_distribution_are_its_entropy(tmp_path):
    """h = log2(sigma sqrt(2 pi e)) bits for sigma in grey levels; a wider or narrower model pays more."""
    store = gaussian_store(tmp_path / "store")
    found = {width: bits.measure(trial(GaussianWorld(width), store)).numbers for width in (0.7, 1.0, 1.4)}
    entropy = np.log2(20 * np.sqrt(2 * np.pi * np.e))
    assert abs(found[1.0]["bits_per_dim"]["mean"] - entropy) < 0.02
    assert found[1.0]["bits_per_dim"]["mean"] < min(found[width]["bits_per_dim"]["mean"] for width in (0.7, 1.4))


def test_a_model_that_ignores_actions_pays_nothing_for_wrong_ones(tmp_path):
    numbers = bits.measure(trial(GaussianWorld(), gaussian_store(tmp_path / "store"))).numbers
    assert numbers["difference"]["mean"] == numbers["difference_no_actions"]["mean"] == 0


def test_without_actions_there_are_no_others_and_the_reason_is_given(tmp_path):
    store = gaussian_store(tmp_path / "store", actions=0)
    numbers = bits.measure(trial(GaussianWorld(action_dim=0), store)).numbers
    assert numbers["without_other_actions"] == "the store has no actions"
    assert not any("shuffled" in key or key.startswith("difference") for key in numbers)
