"""MPPI weighs plans as its theory says, in the unit of the spread of their costs."""

import dataclasses

import pytest
import torch

import planners

E, T, A = 2, 2, 1
START, GOAL, STD = 0.2, 0.5, 0.15


def one_round(score, **settings):
    """The plans that were scored, and the plan made of them, after one iteration from a mean of START; float64."""
    planner = planners.build(planners.MPPIConfig(T, iterations=1, init_std=STD, **settings), A)
    belief = planners.Belief(*(x.double() for x in dataclasses.astuple(planner.initial_belief(E, "cpu"))))
    belief = dataclasses.replace(belief, mean=torch.full_like(belief.mean, START))
    seen = []
    result = planner.plan(lambda plans: seen.append(plans) or score(plans), belief, torch.Generator().manual_seed(0))
    return seen[0], result


def quadratic(plans):
    return (plans - GOAL).square().sum(dim=(2, 3))


@pytest.mark.parametrize(("control_cost", "prior_mean"), [(0.0, START), (1.0, 0.0)])
def test_a_quadratic_cost_gives_the_posterior_mean_of_linear_regression(control_cost, prior_mean):
    """exp(-|v - goal|^2 / scale) times a Gaussian is a Gaussian, whose mean is known.

    The prior is around the mean or, with the full importance weights, around zero actions.
    """
    settings = {"samples": 30_000, "temperature": 2.0, "noise_beta": 0.0}
    plans, result = one_round(quadratic, control_cost=control_cost, **settings)
    scale = 2.0 * quadratic(plans).std(dim=1, correction=0)[:, None, None]
    precision = 1 / STD**2 + 2 / scale
    expected = (prior_mean / STD**2 + 2 * GOAL / scale) / precision
    torch.testing.assert_close(result.actions, expected.expand(E, T, A), atol=0.006, rtol=0)


def test_the_temperature_leads_from_the_best_plan_to_the_average_of_all():
    plans, cold = one_round(quadratic, samples=20, temperature=1e-4)
    best = quadratic(plans).argmin(dim=1)
    torch.testing.assert_close(cold.actions, plans[torch.arange(E), best])
    torch.testing.assert_close(cold.cost, quadratic(plans).amin(dim=1))
    plans, hot = one_round(quadratic, samples=20, temperature=1e6)
    torch.testing.assert_close(hot.actions, plans.mean(dim=1), atol=1e-5, rtol=0)
    torch.testing.assert_close(hot.cost, quadratic(plans).mean(dim=1), atol=1e-5, rtol=0)


def test_equal_costs_weigh_equally():
    plans, result = one_round(lambda plans: torch.full_like(plans[..., 0, 0], 3.0), samples=20)
    torch.testing.assert_close(result.actions, plans.mean(dim=1))
    torch.testing.assert_close(result.cost, torch.full((E,), 3.0).double())


def test_rejected_plans_weigh_nothing_and_do_not_widen_the_spread():
    def score(plans):
        return torch.where(plans[..., 0, 0] > START, torch.nan, quadratic(plans))

    plans, result = one_round(score, samples=20)
    for problem in range(E):
        accepted = plans[problem][plans[problem, :, 0, 0] <= START]
        costs = quadratic(accepted[None])[0]
        weights = (-costs / (0.1 * costs.std(correction=0))).softmax(dim=0)
        torch.testing.assert_close(result.actions[problem], (weights[:, None, None] * accepted).sum(dim=0))


def test_the_std_stays():
    belief = one_round(quadratic, samples=20)[1].belief
    assert torch.equal(belief.std, belief.initial_std.expand(E, T, A))
