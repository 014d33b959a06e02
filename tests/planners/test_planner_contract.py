"""What every planner promises, whatever its algorithm."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import planners

E, T, A = 3, 5, 2
TARGET = torch.tensor([0.5, -0.25])
CONFIGS = {
    "icem": planners.IcemConfig(A, T, samples=16, elites=4),
    "icem_mean": planners.IcemConfig(A, T, samples=16, elites=4, execute="mean"),
    "cem": planners.CEMConfig(A, T, samples=16, elites=4),
    "random": planners.RandomConfig(A, T),
    "shooting": planners.RandomConfig(A, T, samples=16),
    "zero": planners.ZeroConfig(A, T),
}

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


def plan(planner, score, seed=0):
    return planner.plan(score, planner.initial_belief(E, "cpu"), rng(seed))


def test_every_name_builds_from_its_defaults():
    for name in planners.NAMES:
        planner = planners.build(planners.config_class(name)())
        assert (planner.horizon, planner.action_dim) == (8, 4)


def test_unknown_name_lists_the_valid_ones_and_the_nearest():
    with pytest.raises(ValueError, match=r"icem, cem, random, zero; got 'icme' \(did you mean icem\?\)"):
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
def test_other_generator_seed_other_plan(planner):
    assert not torch.equal(plan(planner, quadratic).actions, plan(planner, quadratic, seed=1).actions)


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


@only([name for name in CONFIGS if name != "icem_mean"])  # a refitted mean is never scored
def test_cost_is_that_of_the_actions(planner):
    result = plan(planner, quadratic)
    torch.testing.assert_close(result.cost, quadratic(result.actions[:, None])[:, 0])


def test_score_is_called_once_per_iteration_with_one_shape(planner):
    shapes = []

    def score(plans):
        shapes.append(plans.shape)
        assert plans.abs().max() <= 1
        return quadratic(plans)

    warm = plan(planner, quadratic).belief.shift(1)
    planner.plan(score, None, rng())
    cold_shapes, shapes = shapes, []
    planner.plan(lambda plans: shapes.append(plans.shape) or quadratic(plans), warm, rng())
    assert len(cold_shapes) == len(shapes) == planner.iterations
    assert {shape[1] for shape in cold_shapes} | {shape[1] for shape in shapes} == {cold_shapes[0][1]}


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
    result = planner.plan(lambda plans: torch.full(plans.shape[:2], torch.nan), belief, rng())
    assert torch.equal(result.actions, torch.ones(E, T, A))
    assert result.cost.isinf().all()
    assert torch.equal(result.belief.mean, belief.mean)
    assert torch.equal(result.belief.std, belief.std)
    assert result.trace.best.isinf().all()
    assert result.trace.mean.isinf().all()


def test_a_single_accepted_plan_is_chosen(planner):
    def score(plans):
        costs = torch.full(plans.shape[:2], torch.nan)
        costs[:, -1] = 2.0
        return costs

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
