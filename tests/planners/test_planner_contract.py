"""What every planner promises, whatever its algorithm."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import planners
from tests.planners.every_planner import CONFIGS, EXECUTES_A_MEAN, GAUSSIAN, A, T

E = 3
TARGET = torch.tensor([0.5, -0.25])

SAMPLING = [name for name in CONFIGS if name != "zero"]
CHOOSING = [name for name in SAMPLING if name != "random"]  # have more than one plan to choose from


@pytest.fixture(params=CONFIGS)
def planner(request):
    return planners.build(CONFIGS[request.param])


def only(names):
    return pytest.mark.parametrize("planner", names, indirect=True)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def quadratic(plans):
    return (plans - TARGET).square().sum(dim=(2, 3))


def rejecting(plans):
    """Rejects every plan; differentiable, as a model is."""
    return quadratic(plans) * torch.nan


def plan(planner, score, seed=0):
    return planner.plan(score, planner.initial_belief(E, "cpu"), rng(seed))


def test_every_name_builds_from_its_defaults():
    for name in planners.NAMES:
        planner = planners.build(planners.config_class(name)())
        assert (planner.horizon, planner.action_dim) == (8, 4)


def test_unknown_name_lists_the_valid_ones_and_the_nearest():
    with pytest.raises(
        ValueError, match=r"icem, cem, mppi, shooting, gradient, random, zero; got 'icme' \(did you mean icem\?\)"
    ):
        planners.config_class("icme")


def test_unknown_config_is_refused():
    with pytest.raises(ValueError, match="no planner has a PlannerConfig"):
        planners.build(planners.PlannerConfig())


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
        assert len(shapes["cold"]) == planner.iterations


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
    longer = planners.build(planners.ZeroConfig(A, T + 1)).initial_belief(E, "cpu")
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
    planner, count = planners.build(CONFIGS[name]), 60
    batch = planner.plan(quadratic, planner.initial_belief(count, "cpu"), rng()).cost.double()
    single = torch.cat([planner.plan(quadratic, None, rng(seed)).cost for seed in range(1, 1 + count)]).double()
    error = ((batch.var() + single.var()) / count).sqrt()
    assert (batch.mean() - single.mean()).abs() <= 4 * error
    assert name == "zero" or 0.4 < batch.std() / single.std() < 2.5


@pytest.mark.parametrize("name", GAUSSIAN)
def test_without_a_warm_start_every_plan_starts_cold(name):
    cold, warm = (planners.build(dataclasses.replace(CONFIGS[name], warm_start=on)) for on in (False, True))
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
    plan(planners.build(dataclasses.replace(CONFIGS[name], **settings_)), score)
    # In closed form 0.659 for beta 2 over five steps.
    neighbours = torch.stack([seen[0][..., :-1, :].flatten(), seen[0][..., 1:, :].flatten()])
    assert low < torch.corrcoef(neighbours)[0, 1] < high


@pytest.mark.parametrize("name", GAUSSIAN)
def test_a_component_without_std_stays_at_rest(name):
    planner, seen = planners.build(dataclasses.replace(CONFIGS[name], action_std=(0.5, 0.0))), []

    def score(plans):
        seen.append(plans.detach())
        return quadratic(plans)

    first = plan(planner, score)
    planner.plan(score, first.belief.shift(2), rng(1))
    assert all((plans[..., 1] == 0).all() for plans in seen)
    assert all(plans[..., 0].std() > 0.01 for plans in seen)


@settings(max_examples=30, deadline=None)
@given(steps=st.integers(0, T + 2))
def test_shift_drops_what_was_executed_and_repeats_the_last_action(steps):
    mean = torch.arange(E * T * A, dtype=torch.float32).reshape(E, T, A)
    elites = torch.stack([mean, -mean], dim=1)
    initial_std = torch.tensor([0.6, 0.2])
    shifted = planners.Belief(mean, torch.full_like(mean, 0.1), elites, initial_std).shift(steps)
    for t in range(T):
        source = min(t + steps, T - 1)
        assert torch.equal(shifted.mean[:, t], mean[:, source])
        assert torch.equal(shifted.elites[:, :, t], elites[:, :, source])
    assert torch.equal(shifted.std, initial_std.expand(E, T, A))


def test_shift_by_less_than_nothing_is_refused(planner):
    with pytest.raises(ValueError, match="steps must be at least 0, got -1"):
        planner.initial_belief(1, "cpu").shift(-1)


def test_results_alias_no_input(planner):
    belief = planner.initial_belief(E, "cpu")
    result = planner.plan(quadratic, belief, rng())
    before = belief.mean.clone()
    result.actions.fill_(9.0)
    assert torch.equal(belief.mean, before)


@pytest.mark.parametrize(
    ("config", "values", "message"),
    [
        (planners.IcemConfig, {"horizon": 0}, "horizon must be at least 1, got 0"),
        (planners.IcemConfig, {"action_dim": 0}, "action_dim must be at least 1, got 0"),
        (planners.CEMConfig, {"samples": 1}, "samples must be at least 2, got 1"),
        (planners.CEMConfig, {"elites": 64}, "elites must be between 1 and samples=32, got 64"),
        (planners.CEMConfig, {"elites": 0}, "elites must be between 1 and samples=32, got 0"),
        (planners.CEMConfig, {"iterations": 0}, "iterations must be at least 1, got 0"),
        (planners.CEMConfig, {"init_std": 0.0}, "init_std must be above 0, got 0.0"),
        (planners.CEMConfig, {"init_std": float("nan")}, "init_std must be above 0, got nan"),
        (planners.CEMConfig, {"min_std": -0.1}, "min_std must be at least 0, got -0.1"),
        (planners.MPPIConfig, {"temperature": 0.0}, "temperature must be above 0, got 0.0"),
        (planners.MPPIConfig, {"control_cost": -1.0}, "control_cost must be at least 0, got -1.0"),
        (
            planners.MPPIConfig,
            {"control_cost": 1.0},
            "control_cost is known for white noise only: expected noise_beta=0",
        ),
        (planners.ShootingConfig, {"shrink": 1.1}, "shrink must be in (0, 1], got 1.1"),
        (planners.ShootingConfig, {"shrink": 0.0}, "shrink must be in (0, 1], got 0.0"),
        (planners.GradientConfig, {"samples": 1}, "samples must be at least 2, got 1"),
        (planners.GradientConfig, {"steps": 0}, "steps must be at least 1, got 0"),
        (planners.GradientConfig, {"step_size": 0.0}, "step_size must be above 0, got 0.0"),
        (planners.CEMConfig, {"refine_steps": -1}, "refine_steps must be at least 0, got -1"),
        (planners.CEMConfig, {"refine_steps": 1, "refine_plans": 33}, "refine_plans must be between 1 and samples=32"),
        (planners.CEMConfig, {"step_size": -0.1}, "step_size must be above 0, got -0.1"),
        (planners.CEMConfig, {"momentum": 1.0}, "momentum must be in [0, 1), got 1.0"),
        (planners.CEMConfig, {"action_std": (0.6,)}, "action_std must have action_dim=4 values, got 1"),
        (planners.CEMConfig, {"action_std": (0.0,) * 4}, "action_std must be at least 0 and somewhere above"),
        (planners.IcemConfig, {"noise_beta": -1.0}, "noise_beta must be at least 0, got -1.0"),
        (planners.IcemConfig, {"keep_elites": 1.5}, "keep_elites must be in [0, 1], got 1.5"),
        (planners.IcemConfig, {"execute": "median"}, "execute must be one of best, mean; got 'median'"),
        (
            planners.IcemConfig,
            {"samples": 8, "elites": 8, "keep_elites": 1.0},
            "kept elites and mean must be fewer than samples=8, got 9",
        ),
        (planners.RandomConfig, {"samples": 0}, "samples must be at least 1, got 0"),
    ],
)
def test_impossible_settings_are_refused_in_one_line(config, values, message):
    with pytest.raises(ValueError) as error:
        config(**values)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)
