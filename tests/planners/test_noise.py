"""Noise has the variance and the correlation over time that it claims."""

import pytest
import torch

from planners.noise import power_law, white

ROWS = 100_000
SAMPLING_ERROR = 5 / ROWS**0.5  # five standard errors of a correlation


def draw(beta, steps=8, rows=ROWS):
    return power_law((rows, steps, 1), beta, rng=torch.Generator().manual_seed(0), dtype=torch.float64)[..., 0]


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 2.0, 3.0])
@pytest.mark.parametrize("steps", [1, 2, 7, 8])
def test_every_step_has_mean_zero_and_variance_one(beta, steps):
    noise = draw(beta, steps)
    assert noise.mean(dim=0).abs().max() < SAMPLING_ERROR
    assert (noise.var(dim=0) - 1).abs().max() < 2 * SAMPLING_ERROR  # a variance's error is sqrt(2) of a mean's


def test_neighbours_are_the_more_correlated_the_larger_beta():
    lag1 = [torch.corrcoef(draw(beta).T)[0, 1].item() for beta in (0, 1, 2, 3)]
    # Closed form: the inverse transform of the power spectrum over 16 steps.
    assert lag1 == pytest.approx([0.0, 0.48, 0.78, 0.90], abs=0.01)


def test_a_plan_does_not_end_where_it_began():
    """Periodic noise would give 0.58 and 0.70 here, as strong as between neighbours."""
    for beta, expected in ((1, -0.05), (2, -0.14), (3, -0.20)):
        assert torch.corrcoef(draw(beta).T)[0, -1].item() == pytest.approx(expected, abs=0.01)


def test_power_falls_with_frequency_as_beta_says():
    """The slope is measured far above the slowest wave, where cutting 2T to T does not show, with a window."""
    steps, beta = 512, 2.0
    noise = draw(beta, steps, rows=2000) * torch.hann_window(steps, dtype=torch.float64)
    power = torch.fft.rfft(noise).abs().square().mean(dim=0)
    slope = (power[64].log() - power[8].log()) / torch.tensor(64 / 8).log()
    assert slope.item() == pytest.approx(-beta, abs=0.15)


def test_components_and_plans_are_independent():
    noise = power_law((2, 50_000, 4, 2), 2.0, rng=torch.Generator().manual_seed(0))
    columns = torch.stack([noise[e, :, 0, a] for e in range(2) for a in range(2)])
    off_diagonal = torch.corrcoef(columns) - torch.eye(4)
    assert off_diagonal.abs().max() < 5 / 50_000**0.5


def test_beta_zero_is_white_to_the_bit():
    shape = (2, 3, 4, 2)
    noise = power_law(shape, 0.0, rng=torch.Generator().manual_seed(3))
    assert torch.equal(noise, white(shape, torch.Generator().manual_seed(3)))
