"""What every planner promises, whatever its algorithm."""

import dataclasses

import pytest
import torch

import planners
from tests.planners.every_planner import CONFIGS, EXECUTES_A_MEAN, A, E, T, plan, quadratic, rng

SAMPLING = [name for name in CONFIGS if name != "zero"]
CHOOSING = [name for name in SAMPLING if name != "random"]  # have more than one plan to choose from


@pytest.fixture(params=CONFIGS)
def planner(request):
    return planners.build(CONFIGS[request.param], A)


def only(names):
    return pytest.mark.parametrize("planner", names, indirect=True)


def rejecting(plans):
    """Rejects every plan; differentiable, as a model is."""
    return quadratic(plans) * torch.nan


def test_shapes_and_bounds(planner):
    result = plan(planner, quadratic)
    assert result.actions.shape == (E, T, A)
    assert result.cost.shape == (E,)
    assert result.actions.abs().max() <= 1
    assert result.belief.mean.shape == result.belief.std.shape == (E, T, A)
    assert result.belief.elites.shape[0] == E
    assert result.belief.elites.shape[2:] == (T, A)
    assert result.trace.best.shape == result.trace.mean.shape == result.trace.rejected.shape
    assert result.trace.best.shape[1] == E
    assert (result.trace.best <= result.trace.mean + 1e-6).all()  # a rounding error when there is one sample
    assert not result.trace.rejected.any()


def test_no_belief_is_one_problem_from_a_cold_start(planner):
    result = planner.plan(quadratic, None, rng())
    assert result.actions.shape == (1, T, A)
    same = planner.plan(quadratic, planner.initial_belief(1, "cpu"), rng())
    assert torch.equal(result.actions, same.actions)


def test_same_generator_seed_same_plan(planner):
    first, again = plan(planner, quadratic), plan(planner, quadratic)
    assert torch.equal(first.actions, again.actions)
    assert torch.equal(first.belief.std, again.belief.std)


@pytest.mark.parametrize("name", CONFIGS)
def test_held_components_stay_where_they_are(name):
    planner = planners.build(dataclasses.replace(CONFIGS[name], hold={"1": 0.75}), A)
    seen = []

    def score(plans):
        seen.append(plans)
        return quadratic(plans)

    result = plan(planner, score)
    again = planner.plan(score, result.belief.shift(2).forget(torch.tensor([True, False, False])), rng(1))
    for plans in seen:
        assert (plans[..., 1] == 0.75).all()
    for plans in (result.actions, again.actions, again.belief.mean, again.belief.elites):
        assert (plans[..., 1] - 0.75).abs().le(1e-6).all()  # means may round
    assert planner.initial_mean == (0.0, 0.75)


def test_names_say_what_is_held():
    config = dataclasses.replace(CONFIGS["icem"], hold={"close": 1.0})
    assert planners.build(config, ("lift", "close")).initial_mean == (0.0, 1.0)
    with pytest.raises(ValueError, match=r"no component 'close'; there are left, clos \(did you mean clos\?\)"):
        planners.build(config, ("left", "clos"))


@pytest.mark.parametrize(
    ("hold", "message"), [({"0": 1.5}, r"hold.0 must be in \[-1, 1\], got 1.5"), ({"0": 0, "1": 0}, "leave a")]
)
def test_what_cannot_be_held_is_refused(hold, message):
    with pytest.raises(ValueError, match=message):
        planners.build(dataclasses.replace(CONFIGS["icem"], hold=hold), A)


@only(SAMPLING)
def test_other_generator_seed_other_plans(planner):
    # The one executed may be the same: gradients can lead from the nominal plan, which is not drawn, to the best.
    assert not torch.equal(plan(planner, quadratic).trace.mean, plan(planner, quadratic, seed=1).trace.mean)


def test_global_generator_is_neither_read_nor_moved(planner):
    torch.manual_seed(0)
    state = torch.get_rng_state()
    plan(planner, quadratic)
    assert torch.equal(state, torch.get_rng_state())


def test_problems_are_independent(planner):
    def other_for_the_last(plans):
        costs = quadratic(plans)
        return torch.cat([costs[:-1], torch.full_like(costs[-1:], torch.nan)])

    first, second = plan(planner, quadratic), plan(planner, other_for_the_last)
    assert torch.equal(first.actions[:-1], second.actions[:-1])
    assert torch.equal(first.belief.mean[:-1], second.belief.mean[:-1])
    assert torch.equal(first.trace.mean[:, :-1], second.trace.mean[:, :-1])


@only([name for name in CONFIGS if name not in EXECUTES_A_MEAN])
def test_cost_is_that_of_the_actions(planner):
    result = plan(planner, quadratic)
    torch.testing.assert_close(result.cost, quadratic(result.actions[:, None])[:, 0])


def test_calls_to_the_score_always_have_the_same_shapes(planner):
    shapes = {"cold": [], "warm": []}

    def recording(name):
        def score(plans):
            assert plans.abs().max() <= 1
            shapes[name].append(plans.shape)
            return quadratic(plans)

        return score

    belief = planner.initial_belief(1, "cpu")
    for name in shapes:
        result = planner.plan(recording(name), belief, rng())
        belief = result.belief.shift(1)
    assert shapes["cold"] == shapes["warm"]
    assert len(shapes["cold"]) == len(result.trace.best)
    if planner.needs_gradients:
        assert len(set(shapes["cold"])) <= 2
    else:
        assert len(set(shapes["cold"])) == 1
        assert len(shapes["cold"]) == planner.config.num_iterations


@only(CHOOSING)
@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_a_rejected_plan_is_never_chosen_and_teaches_nothing(planner, bad):
    """Everything that moves right is rejected, although moving right would be cheapest."""

    def score(plans):
        wrong = plans[..., 0].sum(dim=2) > 0
        return torch.where(wrong, bad, -plans[..., 0].sum(dim=2))

    result = plan(planner, score)
    assert torch.isfinite(result.cost).all()
    assert torch.isfinite(result.belief.mean).all()
    assert (result.actions[..., 0].sum(dim=1) <= 1e-5).all()
    assert (result.trace.rejected > 0).any()


def test_all_rejected_returns_the_belief_with_cost_inf(planner):
    cold = planner.initial_belief(E, "cpu")
    belief = dataclasses.replace(cold, mean=torch.full_like(cold.mean, 1.5))
    result = planner.plan(rejecting, belief, rng())
    assert torch.equal(result.actions, torch.ones(E, T, A))
    assert result.cost.isinf().all()
    assert torch.equal(result.belief.mean, belief.mean)
    assert torch.equal(result.belief.std, belief.std)
    assert result.trace.best.isinf().all()
    assert result.trace.mean.isinf().all()


def test_a_single_accepted_plan_is_chosen(planner):
    def score(plans):
        last = torch.arange(plans.shape[1]) == plans.shape[1] - 1
        return torch.where(last, 2.0 + 0.0 * quadratic(plans), torch.nan)

    result = plan(planner, score)
    assert (result.cost == 2.0).all()
    assert torch.isfinite(result.belief.std).all()


def test_costs_of_the_wrong_shape_are_refused(planner):
    with pytest.raises(ValueError, match="score must return costs of shape"):
        plan(planner, lambda plans: quadratic(plans)[:, None])


def test_a_belief_of_another_horizon_is_refused(planner):
    longer = planners.build(planners.ZeroConfig(T + 1), A).initial_belief(E, "cpu")
    with pytest.raises(ValueError, match=r"belief must be over \(T, A\) = \(5, 2\), got \(6, 2\)"):
        planner.plan(quadratic, longer, rng())


def test_no_gradient_is_recorded(planner):
    weight = torch.ones((), requires_grad=True)
    assert not plan(planner, lambda plans: quadratic(plans) * weight).cost.requires_grad


@only([name for name, config in CONFIGS.items() if not config.needs_gradients])
def test_only_planners_that_say_so_need_gradients(planner):
    with torch.inference_mode():
        assert plan(planner, lambda plans: quadratic(plans).detach()).cost.isfinite().all()


@only([name for name, config in CONFIGS.items() if config.needs_gradients])
def test_a_score_without_gradients_is_refused(planner):
    with pytest.raises(ValueError, match="the costs have no gradient with respect to the plans"):
        plan(planner, lambda plans: quadratic(plans).detach())


def test_the_unit_of_the_cost_does_not_matter(planner):
    """1024 is exact in floating point, so that nothing but a dependence on the unit can show."""
    first, scaled = plan(planner, quadratic), plan(planner, lambda plans: 1024 * quadratic(plans))
    assert torch.equal(first.actions, scaled.actions)
    assert torch.equal(1024 * first.cost, scaled.cost)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_batch_plans_as_well_as_one_problem_at_a_time(name):
    planner, count = planners.build(CONFIGS[name], A), 60
    batch = planner.plan(quadratic, planner.initial_belief(count, "cpu"), rng()).cost.double()
    single = torch.cat([planner.plan(quadratic, None, rng(seed)).cost for seed in range(1, 1 + count)]).double()
    error = ((batch.var() + single.var()) / count).sqrt()
    assert (batch.mean() - single.mean()).abs() <= 4 * error
    assert name == "zero" or 0.4 < batch.std() / single.std() < 2.5


def test_results_alias_no_input(planner):
    belief = planner.initial_belief(E, "cpu")
    result = planner.plan(quadratic, belief, rng())
    before = belief.mean.clone()
    result.actions.fill_(9.0)
    assert torch.equal(belief.mean, before)
