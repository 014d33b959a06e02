"""Risk measures against distributions whose risk is known, in float64."""

import math
from statistics import NormalDist

import pytest
import torch

from vfplan.control.risk import over_futures

LEVELS = (0.0, 0.1, 0.25, 0.5, 0.77, 0.9, 1.0)


def costs(rows=6, futures=7, seed=0):
    return torch.randn(rows, futures, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def normal_grid(count=200_001):
    """A standard normal distribution as equally likely costs, shuffled."""
    middle = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    return torch.special.ndtri(middle)[torch.randperm(count, generator=torch.Generator().manual_seed(0))]


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_quantile_and_cvar_of_a_normal_distribution(level):
    point = NormalDist().inv_cdf(level)
    density = math.exp(-(point**2) / 2) / math.sqrt(2 * math.pi)
    assert over_futures(normal_grid(), "quantile", level).item() == pytest.approx(point, abs=1e-4)
    assert over_futures(normal_grid(), "cvar", level).item() == pytest.approx(density / (1 - level), abs=1e-4)


def test_small_samples_by_hand():
    few = torch.tensor([4.0, 1.0, 3.0, 2.0], dtype=torch.float64)
    assert over_futures(few, "mean", 0.5) == 2.5
    assert over_futures(few, "worst", 0.5) == 4
    assert over_futures(few, "quantile", 0.5) == 2.5
    assert over_futures(few, "quantile", 0.25) == pytest.approx(1.75)
    assert over_futures(few, "cvar", 0.5) == 3.5
    # The worst 3/8 of four futures: the worst one and half of the next.
    assert over_futures(few, "cvar", 1 - 3 / 8) == pytest.approx((4 + 0.5 * 3) / 1.5)


@pytest.mark.parametrize("level", LEVELS)
def test_worst_is_above_cvar_is_above_quantile_and_mean(level):
    values, slack = costs(), 1e-12
    worst, cvar, quantile, mean = (over_futures(values, risk, level) for risk in ("worst", "cvar", "quantile", "mean"))
    assert (worst >= cvar - slack).all() and (cvar >= mean - slack).all() and (cvar >= quantile - slack).all()


def test_levels_at_their_limits():
    values = costs()
    assert torch.allclose(over_futures(values, "cvar", 0.0), values.mean(-1), rtol=0, atol=1e-14)
    assert torch.equal(over_futures(values, "cvar", 1.0), values.amax(-1))
    assert torch.equal(over_futures(values, "quantile", 0.0), values.amin(-1))
    assert torch.equal(over_futures(values, "quantile", 1.0), values.amax(-1))


@pytest.mark.parametrize("risk", ["quantile", "cvar"])
def test_risk_grows_with_the_level(risk):
    values = torch.stack([over_futures(costs(), risk, level / 40) for level in range(41)])
    assert (values.diff(dim=0) >= -1e-12).all() and (values[-1] > values[0]).all()


@pytest.mark.parametrize("risk", ["mean", "cvar", "quantile", "worst"])
@pytest.mark.parametrize("level", LEVELS)
def test_of_one_future_every_risk_is_its_cost(risk, level):
    values = costs(futures=1)
    assert torch.equal(over_futures(values, risk, level), values[:, 0])


@pytest.mark.parametrize("risk", ["mean", "cvar", "quantile", "worst"])
def test_risk_scales_and_moves_with_the_costs(risk):
    """Positive homogeneity and translation: the unit and the zero of a cost do not matter."""
    moved = over_futures(3.0 * costs() + 2.0, risk, 0.6)
    assert torch.allclose(moved, 3.0 * over_futures(costs(), risk, 0.6) + 2.0, atol=1e-12)


@pytest.mark.parametrize("risk", ["mean", "cvar", "quantile", "worst"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_one_future_that_is_not_finite_rejects_the_plan_and_no_other(risk, bad):
    values = costs()
    values[2, 3] = bad
    finite = over_futures(values, risk, 0.5).isfinite()
    assert finite.tolist() == [True, True, False, True, True, True]


@pytest.mark.parametrize("risk", ["mean", "cvar", "quantile", "worst"])
def test_the_gradient_is_the_weight_of_each_future(risk):
    values = costs().requires_grad_()
    over_futures(values, risk, 0.6).sum().backward()
    assert torch.allclose(values.grad.sum(-1), torch.ones(6, dtype=torch.float64))
    assert (values.grad >= 0).all()
    assert torch.allclose((values.grad * values).sum(-1), over_futures(values, risk, 0.6))
