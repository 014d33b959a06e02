"""Scores of imagined frames and positions: the best is at least the mean, and perfection is recognised."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.studies.offline.conftest import GaussianWorld, Replay, gaussian_store, tiny_videoflow, trial, write_store
from vfplan.metrics.similarity import QUANTISATION_PSNR
from vfplan.models.rows import Rows
from vfplan.studies.offline import moved, position, rollouts
from vfplan.studies.offline.trial import NotApplicableError


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 1000), samples=st.integers(1, 5), steps=st.integers(1, 4))
def test_the_best_sample_is_one_of_them_and_at_least_as_good_as_their_mean(seed, samples, steps):
    scores = np.random.default_rng(seed).normal(size=(3, samples, steps))
    best = rollouts.best_of(scores)
    assert (best.mean(axis=1) >= scores.mean(axis=(1, 2)) - 1e-12).all()
    assert all((episode == row).all(axis=1).any() for episode, row in zip(scores, best, strict=True))


def test_equal_frames_have_a_finite_psnr():
    frames = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8)
    assert rollouts.psnr_of(frames, frames) == pytest.approx([QUANTISATION_PSNR] * 2)
    one_level = frames // 2 + 1
    assert (rollouts.psnr_of(one_level, frames // 2) < QUANTISATION_PSNR).all()


def test_samples_that_agree_have_no_spread_and_two_ends_their_half_distance():
    samples = torch.zeros(4, 2, 3, 8, 8, dtype=torch.uint8)
    samples[::2, :, :, :4] = 20
    shown = rollouts.spread(samples)
    assert (shown[:, :, :4] == 10 * rollouts.BRIGHTER).all() and not shown[:, :, 4:].any()
    assert (rollouts.spread(torch.tensor([[[0]], [[255]]], dtype=torch.uint8)[..., None, None]) == 255).all()


def test_a_model_that_knows_the_future_has_perfect_scores_and_copying_has_not(arena_store):
    numbers = rollouts.measure(trial(Replay(arena_store), arena_store)).numbers
    for row in ("expected", "mean_of_samples", "best_of_samples"):
        assert numbers[row]["psnr"]["mean"] == pytest.approx(QUANTISATION_PSNR)
        assert numbers[row]["ssim"]["mean"] == pytest.approx(1, abs=1e-5)
    assert numbers["copying"]["psnr"]["mean"] < 40 and numbers["copying"]["ssim"]["mean"] < 0.999
    assert len(numbers["copying"]["psnr_per_step"]) == 8


def test_frames_smaller_than_a_window_have_a_psnr_and_a_reason_for_no_ssim(tmp_path):
    store = gaussian_store(tmp_path / "small", size=8)
    numbers = rollouts.measure(trial(GaussianWorld(size=8), store)).numbers
    assert "8 x 8 pixels" in numbers["ssim_absent"]
    assert "ssim" not in numbers["expected"] and numbers["expected"]["psnr"]["mean"] > 10


def test_the_position_error_of_a_perfect_model_is_the_error_of_the_method(arena_store):
    numbers = position.measure(trial(Replay(arena_store), arena_store)).numbers
    for row in ("expected", "mean_of_samples", "best_of_samples"):
        assert numbers[row]["cm"] == pytest.approx(numbers["floor"]["cm"], rel=1e-9)
        for step, floor in zip(numbers[row]["cm_per_step"], numbers["floor"]["cm_per_step"], strict=True):
            assert step == pytest.approx(floor, rel=1e-9)
    assert numbers["floor"]["cm"]["mean"] < 0.1 < 1 < numbers["copying"]["cm"]["mean"]


def test_copying_is_charged_the_way_the_object_went(arena_store):
    numbers = position.measure(trial(Replay(arena_store), arena_store)).numbers
    poses = np.stack([arena_store.episode(index).object_xy[:, 0] for index in range(len(arena_store))])
    moved = 100 * np.linalg.norm(poses[:, 2:] - poses[:, 1:2], axis=-1)
    assert numbers["copying"]["cm"]["mean"] == pytest.approx(moved.mean(), abs=0.1)


class Vanishing(Replay):
    """Imagines an empty floor."""

    def decode(self, rollout, steps=None):
        return torch.full(rollout.values.shape, 0.7)


def test_a_model_that_loses_the_object_is_charged_as_if_it_stayed_where_it_was(arena_store):
    numbers = position.measure(trial(Vanishing(arena_store), arena_store)).numbers
    assert numbers["share_lost"] == {"expected": 1.0, "samples": 1.0}
    assert numbers["expected"]["cm"] == pytest.approx(numbers["copying"]["cm"], rel=1e-9)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, "poses of 0 objects"),
        ({"object_xy": np.zeros((3, 6, 2, 2))}, "poses of 2 objects"),
        ({"object_xy": np.zeros((3, 6, 1, 2))}, "no floor_to_pixel"),
        ({"object_xy": np.zeros((3, 6, 1, 2)), "description": {"floor_to_pixel": np.eye(3).tolist()}}, "no colour"),
    ],
)
def test_a_store_in_which_no_object_can_be_found_says_why(options, reason, tmp_path):
    store = write_store(tmp_path / "store", np.full((3, 6, 32, 32, 3), 90, np.uint8), **options)
    with pytest.raises(NotApplicableError, match=reason):
        position.measure(trial(tiny_videoflow(), store))


def test_every_rollout_is_reproducible(arena_store):
    first, second = (trial(tiny_videoflow(), arena_store) for _ in range(2))
    assert torch.equal(first.expected, second.expected)  # in another order, too: nothing shares a generator
    assert torch.equal(second.samples, first.samples)
    assert not torch.equal(first.samples[:, 0], first.samples[:, 1])


def test_motion_is_explained_by_what_knows_it_and_not_by_standing_still(arena_store):
    class Still(Replay):
        def rollout(self, state, actions, noise, *, downscale=1):
            episode, after = state.values.unbind(1)
            return Rows(self.frames[episode, after - 1, None].expand(-1, actions.shape[1], -1, -1, -1))

    known = moved.measure(trial(Replay(arena_store), arena_store)).numbers["steps"]
    still = moved.measure(trial(Still(arena_store), arena_store)).numbers["steps"]
    assert all(each["explained"] == each["ceiling"] > 0.95 for each in known.values())
    assert all(abs(each["explained"]) < 0.1 for each in still.values())
