"""Gradient descent on plans finds what is downhill, and survives gradients that lie, explode or are missing."""

import dataclasses

import pytest
import torch

import planners
from planners.descent import descend

E, N, T, A = 2, 5, 3, 2
FREE = torch.ones(A, dtype=torch.bool)


def quadratic(plans):
    return (plans - 0.5).square().sum(dim=(2, 3))


def starts(dtype=torch.float32):
    return torch.rand(E, N, T, A, generator=torch.Generator().manual_seed(0), dtype=dtype) * 2 - 1


class Slope(torch.autograd.Function):
    """The identity, whose gradient is multiplied by `factor`."""

    @staticmethod
    def forward(ctx, x, factor):
        ctx.save_for_backward(factor)
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient * ctx.saved_tensors[0], None


def with_slopes(factor):
    """The quadratic, the gradient of plan i multiplied by factor[i]."""
    return lambda plans: quadratic(Slope.apply(plans, factor[:, None, None].expand_as(plans)))


def test_every_start_reaches_the_optimum():
    found = descend(quadratic, starts(torch.float64), steps=200, step_size=0.2, moving=FREE)
    torch.testing.assert_close(found.plans, torch.full((E, N, T, A), 0.5, dtype=torch.float64), atol=2e-3, rtol=0)
    assert torch.equal(found.costs, quadratic(found.plans))


def test_an_optimum_beyond_the_bounds_is_met_at_the_bound():
    found = descend(lambda plans: (plans - 2).square().sum(dim=(2, 3)), starts(), steps=30, step_size=0.3, moving=FREE)
    assert (found.plans == 1).all()


def test_the_first_step_has_the_size_asked_for_and_points_downhill():
    seen = []
    middle = 0.5 * starts()
    descend(lambda plans: seen.append(plans.detach()) or quadratic(plans), middle, steps=1, step_size=0.1, moving=FREE)
    step = seen[1] - seen[0]
    torch.testing.assert_close(step.square().mean(dim=(2, 3)).sqrt(), torch.full((E, N), 0.1))
    cosine = torch.cosine_similarity(step.flatten(2), (0.5 - middle).flatten(2), dim=2)
    torch.testing.assert_close(cosine, torch.ones(E, N))


def test_the_cheapest_on_the_way_is_kept():
    """Steps far too large overshoot; the answer is never worse than the start."""
    found = descend(quadratic, starts(), steps=4, step_size=3.0, moving=FREE)
    calls = torch.stack(found.calls)
    assert torch.equal(found.costs, calls.amin(dim=0))
    assert (calls[1:] > calls[:-1]).any()


@pytest.mark.parametrize("factor", [torch.nan, torch.inf])
def test_a_plan_without_a_finite_gradient_stays_and_hurts_no_other(factor):
    bad = with_slopes(torch.tensor([1.0, factor, 1.0, 1.0, 1.0]))
    good, found = (descend(score, starts(), steps=10, step_size=0.2, moving=FREE) for score in (quadratic, bad))
    others = torch.arange(N) != 1
    assert torch.equal(found.plans[:, 1], starts()[:, 1])
    assert torch.equal(found.plans[:, others], good.plans[:, others])


@pytest.mark.parametrize("factor", [1e30, 1e-30])
def test_gradients_that_explode_or_vanish_lead_as_far_as_any(factor):
    scaled = with_slopes(torch.full((N,), factor))
    good, found = (descend(score, starts(), steps=10, step_size=0.2, moving=FREE) for score in (quadratic, scaled))
    torch.testing.assert_close(found.plans, good.plans)


def test_a_flat_cost_moves_nothing():
    found = descend(lambda plans: 0.0 * quadratic(plans), starts(), steps=3, step_size=0.2, moving=FREE)
    assert torch.equal(found.plans, starts())


def test_a_plan_led_into_rejection_turns_back():
    """Downhill lies beyond an edge at 0.2, where plans are rejected."""

    def score(plans):
        return torch.where((plans > 0.2).flatten(2).any(dim=2), torch.nan, quadratic(plans))

    start = starts() - 0.8
    found = descend(score, start.clamp(min=-1), steps=20, step_size=0.2, moving=FREE)
    assert torch.isfinite(found.costs).all()
    assert (found.plans <= 0.2).all()
    assert any(costs.isinf().any() for costs in found.calls)
    assert (found.costs < found.calls[0]).all()
    assert found.costs.mean() < 0.5 * found.calls[0].mean()


CONFIG = planners.IcemConfig(T, samples=16, elites=4)


def run(config, score=quadratic):
    planner = planners.build(config, A)
    return planner.plan(score, planner.initial_belief(E, "cpu"), torch.Generator().manual_seed(0))


@pytest.mark.parametrize("config", [CONFIG, planners.CEMConfig(T), planners.ShootingConfig(T)])
def test_refinement_starts_from_what_sampling_found_and_improves_on_it(config):
    plain = run(config)
    refined = run(dataclasses.replace(config, refine_steps=5))
    assert torch.equal(refined.trace.best[: config.iterations], plain.trace.best)
    assert torch.equal(refined.trace.best[config.iterations], plain.cost)
    assert (refined.cost < plain.cost).all()


def test_refined_plans_are_the_elites_that_return():
    refined = run(dataclasses.replace(CONFIG, refine_steps=5, keep_elites=0.5))
    assert torch.equal(refined.belief.elites[:, 0], refined.actions)
    assert (quadratic(refined.belief.elites) <= refined.trace.mean[-1][:, None]).any()


def test_only_as_many_plans_are_refined_as_asked():
    shapes = []
    run(
        dataclasses.replace(CONFIG, refine_steps=2, refine_plans=3), lambda p: shapes.append(p.shape[1]) or quadratic(p)
    )
    assert shapes == [16, 16, 16, 3, 3, 3]


def test_the_nominal_plan_is_one_of_the_starts():
    seen = []
    planner = planners.build(planners.GradientConfig(T), A)
    start = torch.full((E, T, A), 0.3)
    belief = dataclasses.replace(planner.initial_belief(E, "cpu"), mean=start)
    score = lambda plans: seen.append(plans.detach()) or quadratic(plans)  # noqa: E731
    planner.plan(score, belief, torch.Generator().manual_seed(0))
    assert torch.equal(seen[0][:, 0], start)
