"""Scores of plans by a model whose futures are known: a point that moves by action and noise."""

import pytest
import torch

from vfplan.control.scoring import FinalistsConfig, Scorer, ScoringConfig
from vfplan.costs import Goal
from vfplan.models.rows import Rows

SIZE = 8


class Walk:
    """Brightness that each action adds to, in float64; `downscale` images are that much smaller."""

    def sample_noise(self, rows, steps, rng, *, downscale=1):
        drawn = torch.zeros(rows, steps) if rng is None else torch.randn(rows, steps, generator=rng)
        return Rows(drawn.double())

    def rollout(self, state, actions, noise, *, downscale=1):
        path = state.values[:, None] + (actions[..., 0].double() + noise.values).cumsum(1)
        side = SIZE // downscale
        return Rows(path[..., None, None, None].expand(-1, -1, 3, side, side))

    def decode(self, rollout):
        return rollout.values


class Signed:
    """Mean of frame minus goal: odd in the noise. Remembers the scales it was asked at."""

    def __init__(self, power=1):
        self.power, self.sides = power, []

    def __call__(self, frames, actions, goal):
        assert frames.shape[-1] == goal.images.shape[-1]
        self.sides.append(frames.shape[-1])
        return (frames - goal.images[:, None, None]).mean((2, 3, 4, 5)) ** self.power


GOAL = Goal(torch.linspace(0, 1, 2 * 3 * SIZE * SIZE, dtype=torch.float64).reshape(2, 3, SIZE, SIZE))
STATE = Rows(torch.tensor([0.5, -0.5], dtype=torch.float64))


def plans(candidates=6):
    rng = torch.Generator().manual_seed(3)
    return torch.rand(2, candidates, 4, 2, generator=rng, dtype=torch.float64) * 2 - 1


def score(config, given, *, seed=0, power=1):
    cost = Signed(power)
    costs = Scorer(Walk(), cost, config).score(STATE, GOAL, torch.Generator().manual_seed(seed))(given)
    return costs, cost.sides


def sampled(**changes):
    return ScoringConfig(**{"downscale": 2, "samples": 4, "temperature": 1.0, **changes})


@pytest.mark.parametrize("samples", [2, 6])
def test_antithetic_pairs_average_what_is_odd_in_the_noise_exactly(samples):
    exact, _ = score(ScoringConfig(downscale=2), plans())
    for seed in range(3):
        assert torch.allclose(score(sampled(samples=samples), plans(), seed=seed)[0], exact, rtol=0, atol=1e-12)
    assert not torch.allclose(score(sampled(samples=1), plans())[0], exact, rtol=0, atol=1e-3)


@pytest.mark.parametrize("risk", ["mean", "cvar", "quantile", "worst"])
def test_equal_candidates_cost_the_same_at_every_risk_and_as_finalists(risk):
    same = plans(1).expand(-1, 6, -1, -1)
    for finalists in (FinalistsConfig(), FinalistsConfig(count=2, samples=2)):
        costs, _ = score(sampled(risk=risk, finalists=finalists), same, power=2)
        assert torch.allclose(costs, costs[:, :1].expand_as(costs), rtol=0, atol=1e-12)


def test_the_risks_of_the_same_futures_are_ordered():
    mean, cvar, worst = (score(sampled(risk=risk), plans(), power=2)[0] for risk in ("mean", "cvar", "worst"))
    assert (worst > cvar).all() and (cvar > mean).all()


def test_finalists_are_seen_at_their_own_scale_with_the_goal_at_that_scale():
    _, sides = score(ScoringConfig(downscale=4, finalists=FinalistsConfig(count=2, downscale=1)), plans())
    assert sides == [SIZE // 4, SIZE]


def test_finalists_cost_what_the_expensive_settings_alone_would_say():
    rng = torch.Generator().manual_seed(0)
    cheap = Scorer(Walk(), Signed(2), sampled(samples=1)).score(STATE, GOAL, rng)(plans())
    index = cheap.argsort(dim=1)[:, :3]
    chosen = plans().gather(1, index[:, :, None, None].expand(-1, -1, 4, 2))
    exact = Scorer(Walk(), Signed(2), sampled(downscale=1, samples=8)).score(STATE, GOAL, rng)(chosen)
    finalists = FinalistsConfig(count=3, downscale=1, samples=8, temperature=1.0)
    costs, _ = score(sampled(samples=1, finalists=finalists), plans(), power=2)
    assert torch.allclose(costs.gather(1, index), exact, rtol=0, atol=1e-12)
    assert torch.equal(costs.argsort(dim=1)[:, :3].sort().values, index.sort().values)


def test_without_a_second_look_there_is_one_pass():
    assert score(ScoringConfig(downscale=2), plans())[1] == [SIZE // 2]


@pytest.mark.parametrize("risk", ["mean", "cvar", "quantile", "worst"])
def test_costs_can_be_differentiated_with_respect_to_plans(risk):
    given = plans().requires_grad_()
    finalists = FinalistsConfig(count=2, downscale=1, samples=2)
    score(sampled(risk=risk, finalists=finalists), given, power=2)[0].sum().backward()
    reached = given.grad[..., 0].abs().sum(-1)
    assert (reached > 0).all() and given.grad.isfinite().all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"risk": "cvar"}, "risk=cvar of one future is that future; set samples above 1"),
        ({"risk_level": 1.5}, "risk_level must be in"),
        ({"rows_per_call": -1}, "rows_per_call must be in"),
        ({"downscale": 0}, "downscale must be in"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        ScoringConfig(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"count": -1}, "count must be in"), ({"temperature": 0.0}, "at temperature 0 are all equal")],
)
def test_finalists_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        FinalistsConfig(**changes)
