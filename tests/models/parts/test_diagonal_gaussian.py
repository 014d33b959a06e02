"""Gaussians of latents: analytic and sampled KL divergences agree (G7), and free nats cost nothing."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import Normal, kl_divergence

from vfplan.models.parts.gaussian import LOG_STD_LIMITS, Gaussian, GaussianHead, at_least


def gaussian(seed, shape=(3, 5)):
    rng = torch.Generator().manual_seed(seed)
    draw = [torch.randn(shape, generator=rng, dtype=torch.float64) for _ in range(2)]
    return Gaussian(draw[0], 0.5 * draw[1])


def test_divergence_is_that_of_torch():
    q, p = gaussian(0), gaussian(1)
    expected = kl_divergence(Normal(q.mean, q.log_std.exp()), Normal(p.mean, p.log_std.exp())).sum(1)
    assert torch.allclose(q.divergence(p), expected, rtol=1e-12)


def test_sampled_divergence_agrees_within_three_standard_errors():
    q, p, rng = gaussian(0, (1, 4)), gaussian(1, (1, 4)), torch.Generator().manual_seed(2)
    drawn = q.sample(torch.randn(200_000, 4, generator=rng, dtype=torch.float64))
    ratios = q.log_prob(drawn) - p.log_prob(drawn)
    assert abs(ratios.mean() - q.divergence(p)[0]) < 3 * ratios.std() / math.sqrt(len(ratios))


def test_equal_gaussians_do_not_diverge():
    assert torch.equal(gaussian(0).divergence(gaussian(0)), torch.zeros(3))


def test_standard_is_standard():
    q = Gaussian.standard(torch.ones(2, 3))
    assert torch.allclose(q.log_prob(torch.zeros(2, 3)), torch.full((2,), -1.5 * math.log(2 * math.pi)))
    assert torch.equal(q.sample(None), torch.zeros(2, 3))


def test_free_nats_have_neither_cost_nor_gradient():
    divergence = torch.tensor([0.5, 3.0], requires_grad=True)
    priced = at_least(divergence, 2.0)
    priced.sum().backward()
    assert priced.tolist() == [2.0, 3.0] and divergence.grad.tolist() == [0.0, 1.0]


@pytest.mark.parametrize("scale", [0.0, 1.0, 1e6])
def test_heads_keep_log_stds_within_limits(scale):
    head = GaussianHead(lambda outputs: nn.Linear(4, outputs), 3)
    found = head(scale * torch.randn(8, 4))
    low, high = LOG_STD_LIMITS
    assert found.mean.shape == found.log_std.shape == (8, 3)
    assert low <= found.log_std.min() and found.log_std.max() <= high
