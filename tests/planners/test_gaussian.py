"""What can be switched in every planner that draws from a Gaussian: warm start, colour of the noise, rest."""

import dataclasses

import pytest
import torch

import planners
from tests.planners.every_planner import CONFIGS, GAUSSIAN, A, plan, quadratic, rng


@pytest.mark.parametrize("name", GAUSSIAN)
def test_without_a_warm_start_every_plan_starts_cold(name):
    cold, warm = (planners.build(dataclasses.replace(CONFIGS[name], warm_start=on), A) for on in (False, True))
    belief = plan(warm, quadratic).belief.shift(1)
    results = [planner.plan(quadratic, belief, rng(5)) for planner in (cold, warm)]
    assert torch.equal(results[0].actions, plan(cold, quadratic, seed=5).actions)
    assert (results[1].trace.mean[0] < results[0].trace.mean[0]).all()


@pytest.mark.parametrize("name", GAUSSIAN)
@pytest.mark.parametrize(("beta", "low", "high"), [(0.0, -0.05, 0.05), (2.0, 0.6, 0.7)])
def test_noise_is_as_coloured_as_asked(name, beta, low, high):
    seen = []

    def score(plans):
        seen.append(plans.detach())
        return quadratic(plans)

    settings_ = {"samples": 4000, "noise_beta": beta, "init_std": 0.1}  # hardly ever clipped
    if name == "mppi_controls":
        settings_["control_cost"] = 0.0
    plan(planners.build(dataclasses.replace(CONFIGS[name], **settings_), A), score)
    # In closed form 0.659 for beta 2 over five steps.
    neighbours = torch.stack([seen[0][..., :-1, :].flatten(), seen[0][..., 1:, :].flatten()])
    assert low < torch.corrcoef(neighbours)[0, 1] < high


@pytest.mark.parametrize("name", GAUSSIAN)
def test_a_component_without_std_stays_at_rest(name):
    planner, seen = planners.build(dataclasses.replace(CONFIGS[name], action_std=(0.5, 0.0)), A), []

    def score(plans):
        seen.append(plans.detach())
        return quadratic(plans)

    first = plan(planner, score)
    planner.plan(score, first.belief.shift(2), rng(1))
    assert all((plans[..., 1] == 0).all() for plans in seen)
    assert all(plans[..., 0].std() > 0.01 for plans in seen)
