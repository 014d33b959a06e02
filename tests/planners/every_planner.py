"""Every planner, and every way of running it that its contract must hold for: two numbers per action, plans of five.

And problems for them, whose cheapest plan is known.
"""

import torch

import planners
from examples.own_planner import StraightConfig

A, T = 2, 5
E = 3
TARGET = torch.tensor([0.5, -0.25])
CONFIGS = {
    "icem": planners.IcemConfig(T, samples=16, elites=4),
    "icem_mean": planners.IcemConfig(T, samples=16, elites=4, execute="mean"),
    "icem_refined": planners.IcemConfig(T, samples=16, elites=4, refine_steps=2),
    "cem": planners.CEMConfig(T, samples=16, elites=4),
    "cem_coloured": planners.CEMConfig(T, samples=16, elites=4, noise_beta=1.0),
    "mppi": planners.MPPIConfig(T, samples=16),
    "mppi_controls": planners.MPPIConfig(T, samples=16, control_cost=1.0, noise_beta=0.0),
    "mppi_refined": planners.MPPIConfig(T, samples=16, refine_steps=2),
    "shooting": planners.ShootingConfig(T, samples=16),
    "gradient": planners.GradientConfig(T, samples=6, steps=3),
    "random": planners.RandomConfig(T),
    "random_shooting": planners.RandomConfig(T, samples=16),
    "zero": planners.ZeroConfig(T),
    "straight": StraightConfig(T, samples=16, elites=4),
}
GAUSSIAN = [name for name, config in CONFIGS.items() if isinstance(config, planners.GaussianConfig)]
EXECUTES_A_MEAN = ["icem_mean", "mppi", "mppi_controls", "mppi_refined"]  # which is never scored


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def quadratic(plans):
    return (plans - TARGET).square().sum(dim=(2, 3))


def plan(planner, score, seed=0):
    return planner.plan(score, planner.initial_belief(E, "cpu"), rng(seed))
