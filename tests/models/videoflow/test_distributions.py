"""Latent distributions: densities are normalised, and samples come from them."""

import math

import pytest
import torch

from vfplan.models.videoflow.distributions import (
    CopyOrChange,
    Gaussian,
    LatentNoise,
    Mixture,
    choose,
    marginal_and_posterior,
)
from vfplan.models.videoflow.prior import neighbours
from vfplan.statistics import chi_square_p_value


def number(value):
    return torch.full((1, 1, 1, 1), value, dtype=torch.float64)


def gaussian():
    return Gaussian(number(0.3), number(-1.2))


def copy_or_change():
    """Copies from three places, at weights 0.5, 0.2 and 0.3."""
    old = torch.tensor([0.1, -0.8, 1.5], dtype=torch.float64).view(1, 3, 1, 1, 1)
    source = torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64).log().view(1, 3, 1, 1, 1)
    return CopyOrChange(old, number(-3.0)[0], Gaussian(number(0.6), number(-1.0)), number(1.2), source)


def mixture():
    weights = torch.tensor([[0.2, 0.5, 0.3]], dtype=torch.float64).log()
    mean = torch.tensor([-1.0, 0.0, 2.0], dtype=torch.float64).view(1, 3, 1, 1, 1)
    return Mixture(weights, Gaussian(mean, torch.full_like(mean, -1.0)))


def mixture_of_copies():
    """Two components that copy from the same two old values, at other weights."""
    weights = torch.tensor([[0.35, 0.65]], dtype=torch.float64).log()
    pair = lambda *values: torch.tensor(values, dtype=torch.float64).view(1, 2, 1, 1, 1)  # noqa: E731
    old = pair(0.1, -0.6)[:, None]
    source = torch.tensor([[0.4, 0.6], [0.9, 0.1]], dtype=torch.float64).log().view(1, 2, 2, 1, 1, 1)
    change = Gaussian(pair(-1.0, 1.0), pair(-1.0, -0.5))
    return Mixture(weights, CopyOrChange(old, number(-3.0)[0], change, pair(-0.5, 0.3), source))


CASES = [gaussian, copy_or_change, mixture, mixture_of_copies]
GRID = torch.linspace(-8, 8, 200_001, dtype=torch.float64)


def density(distribution):
    return distribution.log_prob(GRID.view(-1, 1, 1, 1)).exp()


def draw(distribution, rows, temperature=1.0):
    """Samples (rows,): a distribution of one row is broadcast to as many."""
    normal = {"generator": torch.Generator().manual_seed(0), "dtype": torch.float64}
    noise = [torch.randn(rows, 1, 1, 1, **normal), torch.randn(rows, 1, 1, 1, **normal), None]
    if isinstance(distribution, CopyOrChange):
        distribution = distribution.map(lambda parameter: parameter.expand(rows, *parameter.shape[1:]))
    if isinstance(distribution, Mixture):
        noise[2] = torch.randn(rows, **normal)
        spread = distribution.components.map(lambda parameter: parameter.expand(rows, *parameter.shape[1:]))
        distribution = Mixture(distribution.log_weights.expand(rows, -1), spread)
    return distribution.transform(LatentNoise(*noise).map(lambda tensor: temperature * tensor)).flatten()


@pytest.mark.parametrize("make", CASES)
def test_densities_integrate_to_one(make):
    assert torch.trapezoid(density(make()), GRID).item() == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("make", CASES)
def test_samples_follow_the_density(make):
    rows = 40_000
    cumulative = torch.cumulative_trapezoid(density(make()), GRID)
    samples = draw(make(), rows).sort().values
    expected = cumulative[torch.searchsorted(GRID[1:], samples).clamp_max(len(cumulative) - 1)]
    empirical = (torch.arange(rows) + 0.5) / rows
    # Kolmogorov and Smirnov: the largest distance of a true sample exceeds this once in 100,000 draws.
    assert (expected - empirical).abs().max().item() < math.sqrt(math.log(2e5) / (2 * rows))


@pytest.mark.parametrize("make", CASES)
def test_temperature_zero_takes_the_likeliest_alternative(make):
    likeliest = {gaussian: 0.3, copy_or_change: 0.1, mixture: 0.0, mixture_of_copies: 0.1}[make]
    assert draw(make(), 3, temperature=0.0).tolist() == pytest.approx([likeliest] * 3)
    assert make().transform(LatentNoise(number(0.0))).item() == pytest.approx(likeliest)


def test_copying_survives_certainty():
    """Log-odds far beyond the precision of a float32 probability still decide rightly."""
    logit = torch.tensor([60.0, -60.0]).view(2, 1, 1, 1)
    old = torch.zeros(2, 1, 1, 1, 1)
    distribution = CopyOrChange(old, old[0, 0], Gaussian(torch.full((2, 1, 1, 1), 5.0), old[0]), logit, old)
    noise = torch.linspace(-6, 6, 1001)
    for choice in noise:
        values = distribution.transform(LatentNoise(torch.zeros(2, 1, 1, 1), choice.expand(2, 1, 1, 1)))
        assert values.flatten().tolist() == [0.0, 5.0]


def test_a_mixture_chooses_for_the_whole_latent_at_once():
    mean = torch.stack([torch.zeros(2, 4, 4), torch.ones(2, 4, 4)])[None].expand(50, -1, -1, -1, -1)
    weights = torch.full((50, 2), 0.5).log()
    rng = torch.Generator().manual_seed(0)
    noise = LatentNoise(torch.zeros(50, 2, 4, 4), component=torch.randn(50, generator=rng))
    samples = Mixture(weights, Gaussian(mean, torch.zeros_like(mean))).transform(noise).flatten(1)
    assert (samples == samples[:, :1]).all()
    assert 10 < samples[:, 0].sum() < 40


def test_alternatives_are_chosen_with_their_probabilities_the_likeliest_by_zero():
    log_probs = torch.tensor([0.15, 0.5, 0.05, 0.3], dtype=torch.float64).log()
    noise = torch.randn(100_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    chosen = choose(log_probs.expand(len(noise), -1), noise)
    counts = torch.bincount(chosen, minlength=4)
    assert chi_square_p_value(counts.numpy(), (len(noise) * log_probs.exp()).numpy()) > 1e-4
    assert choose(log_probs, torch.zeros((), dtype=torch.float64)) == 1
    assert torch.equal(choose(log_probs.expand(len(noise), -1), -noise), chosen)


def test_what_moved_by_whole_places_costs_a_copy_nothing():
    """A shifted picture is a copy from one place to the side, also at the border, whose values are repeated."""
    torch.manual_seed(0)
    last = torch.randn(1, 3, 5, 6, dtype=torch.float64)
    around = neighbours(last, 1)
    assert around.shape == (1, 9, 3, 5, 6)
    moved = around[:, 5]  # the place to the right
    assert torch.equal(moved[..., :-1], last[..., 1:]) and torch.equal(moved[..., -1], last[..., -1])
    source = torch.full((1, 9, 1, 5, 6), -50.0, dtype=torch.float64)
    source[:, 5] = 0.0
    change = Gaussian(torch.zeros_like(last), torch.zeros_like(last))
    still = torch.full((3, 1, 1), -6.0, dtype=torch.float64)
    distribution = CopyOrChange(around, still, change, torch.full_like(last, 40.0), source)
    best = last.numel() * (6.0 - 0.5 * math.log(2 * math.pi))  # the density at the mean of that many narrow normals
    assert distribution.log_prob(moved).item() == pytest.approx(best, rel=1e-9)


def wide(make, *, rows=3, shape=(2, 4, 4)):
    """A distribution over several elements, with parameters that differ."""
    rng = torch.Generator().manual_seed(1)
    normal = lambda *size: torch.randn(*size, generator=rng, dtype=torch.float64)  # noqa: E731
    if make == "gaussian":
        return Gaussian(normal(rows, *shape), normal(rows, *shape))
    if make == "copy":
        old, still = normal(rows, 3, *shape), normal(shape[0], 1, 1) - 2
        source = normal(rows, 3, 1, *shape[1:]).log_softmax(1)
        change = Gaussian(normal(rows, *shape), normal(rows, *shape))
        return CopyOrChange(old, still, change, normal(rows, *shape), source)
    components = Gaussian(normal(rows, 5, *shape), 0.3 * normal(rows, 5, *shape) + 1)
    return Mixture(normal(rows, 5).log_softmax(1), components)


@pytest.mark.parametrize("make", ["gaussian", "copy"])
def test_elements_sum_to_the_log_density(make):
    value = torch.randn(3, 2, 4, 4, dtype=torch.float64)
    distribution = wide(make)
    assert distribution.elements(value).shape == value.shape
    assert torch.allclose(distribution.elements(value).sum((1, 2, 3)), distribution.log_prob(value), rtol=1e-12)


def test_elements_of_a_mixture_sum_to_the_log_density_and_the_price_of_the_component():
    value, mixture = torch.randn(3, 2, 4, 4, generator=torch.Generator().manual_seed(5), dtype=torch.float64), wide("m")
    posterior = (mixture.log_weights + mixture.components.log_prob(value[:, None])).softmax(1)
    price = (posterior * (posterior.log() - mixture.log_weights)).sum(1)
    assert (price > 0).all() and (posterior.amax(1) < 0.999).any()
    assert torch.allclose(mixture.elements(value).sum((1, 2, 3)) - price, mixture.log_prob(value), rtol=1e-12)


def test_a_mixture_of_one_has_the_elements_of_its_component():
    value, single = torch.randn(3, 2, 4, 4, dtype=torch.float64), wide("gaussian")
    mixture = Mixture(torch.zeros(3, 1, dtype=torch.float64), single.map(lambda parameter: parameter[:, None]))
    assert torch.allclose(mixture.elements(value), single.elements(value))


def test_marginal_and_posterior_are_logsumexp_and_softmax_also_of_alternatives_far_behind():
    rng = torch.Generator().manual_seed(0)
    joint = torch.randn(5, 9, 4, generator=rng, dtype=torch.float64) * torch.tensor(
        [1.0, 10.0, 1e3, 1e8], dtype=torch.float64
    )
    joint.requires_grad_()
    marginal, posterior = marginal_and_posterior(joint, 1)
    torch.testing.assert_close(marginal, joint.logsumexp(1), rtol=1e-14, atol=1e-14)
    torch.testing.assert_close(posterior, joint.softmax(1), rtol=1e-13, atol=1e-20)
    (gradient,) = torch.autograd.grad(marginal.sum(), joint)
    torch.testing.assert_close(gradient, joint.softmax(1), rtol=1e-13, atol=1e-20)
