"""Bits per dimension: the unit, the averages, and the shuffle."""

import math

import numpy as np
import pytest
import torch

from vfplan.metrics.likelihood import bits_per_dim, shuffled_actions
from vfplan.models.base import Clip, LogProb

N, P, T, L = 5, 2, 3, 2


class Coin:
    """Gives every frame a probability of 2^-k, with k = 12 of 12 dimensions in level 0 and 24 in level 1."""

    past_frames, action_dim, reads_simulator, bound = P, 1, False, "dequantised"

    def __init__(self, noise=0.0):
        self.noise = noise

    def log_prob(self, context, actions, frames, rng):
        assert context.frames.shape[:2] == (len(frames), P) and context.actions.shape[1] == P - 1
        assert actions.shape[1] == frames.shape[1]
        levels = -math.log(2) * torch.tensor([12.0, 24.0]).expand(len(frames), frames.shape[1], L)
        levels = levels + self.noise * torch.randn(levels.shape, generator=rng)
        return LogProb(levels.sum(2), levels)


def episodes():
    return Clip(torch.zeros(N, P + T, 3, 2, 2, dtype=torch.uint8), torch.zeros(N, P + T - 1, 1))


def test_bits_are_log_two_per_dimension():
    bits = bits_per_dim(Coin(), episodes(), torch.Generator())
    assert bits.per_step.shape == (N, T) and bits.per_level.shape == (N, L)
    assert np.allclose(bits.per_step, 36 / 12)
    assert np.allclose(bits.per_level, [12 / 12, 24 / 12])
    assert np.allclose(bits.per_level.sum(1), bits.per_episode)


def test_more_dequantisation_samples_have_less_variance_and_the_same_mean():
    def spread(samples):
        rng = torch.Generator().manual_seed(0)
        return bits_per_dim(Coin(noise=5.0), episodes(), rng, samples=samples).per_step

    assert spread(64).std() < 0.3 * spread(1).std()
    assert spread(64).mean() == pytest.approx(3.0, abs=0.2)


def test_the_importance_weighted_bound_is_the_mean_probability():
    noise, bits = 0.1, bits_per_dim(Coin(0.1), episodes(), torch.Generator().manual_seed(0), samples=4000)
    gained = L * T * noise**2 / 2  # nats: a log-normal's mean is above its median by half the variance
    assert np.allclose(bits.importance, 36 / 12 - gained / math.log(2) / 12 / T, atol=4e-4)
    assert (bits.importance < bits.per_episode).all()


def test_one_sample_is_its_own_importance_weighted_bound():
    bits = bits_per_dim(Coin(0.1), episodes(), torch.Generator().manual_seed(0))
    assert np.allclose(bits.importance, bits.per_episode)


def test_shuffled_actions_are_those_of_another_episode():
    actions = torch.arange(20.0).view(20, 1, 1).expand(20, 4, 1)
    shuffled = shuffled_actions(actions, torch.Generator().manual_seed(0))
    assert sorted(shuffled[:, 0, 0].tolist()) == sorted(actions[:, 0, 0].tolist())
    assert (shuffled[:, 0, 0] != actions[:, 0, 0]).all()
    assert (shuffled == shuffled[:, :1]).all()  # whole sequences move


def test_one_episode_cannot_be_shuffled():
    with pytest.raises(ValueError, match="at least 2 episodes; got 1"):
        shuffled_actions(torch.zeros(1, 3, 1), torch.Generator())
