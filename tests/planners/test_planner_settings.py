"""Planners by name, and what their settings may be."""

import pytest

import planners


def test_every_name_builds_from_its_defaults():
    for name in planners.CONFIGS:
        planner = planners.build(planners.config_class(name)(), 4)
        assert (planner.horizon, planner.action_dim) == (8, 4)


def test_unknown_name_lists_the_valid_ones_and_the_nearest():
    with pytest.raises(
        ValueError, match=r"icem, cem, mppi, shooting, gradient, random, zero.*; got 'icme' \(did you mean icem\?\)"
    ):
        planners.config_class("icme")


def test_unknown_config_is_refused():
    with pytest.raises(ValueError, match="no planner has a PlannerConfig"):
        planners.build(planners.PlannerConfig(), 4)


@pytest.mark.parametrize(
    ("config", "values", "message"),
    [
        (planners.IcemConfig, {"horizon": 0}, "horizon must be at least 1, got 0"),
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


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"action_std": (0.6,)}, "action_std must have 2 values, got 1"),
        ({"hold": {"0": 1.0, "1": 0.0}}, "hold must leave a component to plan"),
    ],
)
def test_settings_must_fit_the_action(values, message):
    with pytest.raises(ValueError, match=message):
        planners.build(planners.CEMConfig(**values), 2)
