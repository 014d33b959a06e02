"""Predictive sampling never loses its best plan."""

import dataclasses

import pytest
import torch

import planners

E, T, A = 2, 5, 2


def run(start=None, score=lambda plans: (plans - 0.4).square().sum(dim=(2, 3)), **settings):
    """What the score was asked, and the plan."""
    planner, seen = planners.build(planners.ShootingConfig(T, **settings), A), []
    belief = planner.initial_belief(E, "cpu")
    if start is not None:
        belief = dataclasses.replace(belief, mean=start)
    plan = planner.plan(lambda plans: seen.append(plans) or score(plans), belief, torch.Generator().manual_seed(0))
    return seen, plan


def test_the_nominal_plan_is_candidate_0_and_becomes_the_best_of_each_iteration():
    start = torch.full((E, T, A), 0.3)
    seen, _ = run(start)
    for plans in seen:
        assert torch.equal(plans[:, 0], start)
        best = (plans - 0.4).square().sum(dim=(2, 3)).argmin(dim=1)
        start = plans[torch.arange(E), best]


def test_costs_never_rise():
    best = run(iterations=8, samples=4)[1].trace.best
    assert (best[1:] <= best[:-1]).all()
    assert (best[-1] < best[0]).all()


def test_an_optimal_plan_is_kept():
    start = torch.full((E, T, A), 0.4)
    assert torch.equal(run(start)[1].actions, start)


@pytest.mark.parametrize("shrink", [1.0, 0.5])
def test_the_std_falls_by_its_factor_in_every_iteration(shrink):
    zero = torch.zeros(E, T, A)
    seen, plan = run(
        zero, score=lambda plans: plans.square().sum(dim=(2, 3)), samples=4000, init_std=0.2, shrink=shrink
    )
    stds = [plans[:, 1:].std().item() for plans in seen]
    assert stds == pytest.approx([0.2, 0.2 * shrink, 0.2 * shrink**2], rel=0.02)
    assert plan.belief.shift(1).std.unique().item() == pytest.approx(0.2)
