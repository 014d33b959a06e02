"""The solvers and a model of stable-worldmodel itself, where it is installed: they take what the adapters give.

To run it: pip install --no-deps stable-worldmodel loguru einops
"""

from importlib.machinery import PathFinder
from types import SimpleNamespace

import gymnasium
import numpy as np
import pytest
import torch

from envs.task_set import load
from examples import swm_model
from examples.swm_modules import swm
from vfplan.control.scoring import ScoringConfig
from vfplan.costs import DisplacementConfig, build_cost
from vfplan.interop.swm import SwmCost, score_of
from vfplan.models.checkpoint import load_checkpoint, shipped_checkpoint

# Not imported: the package itself asks for more than its solvers do.
MISSING = [name for name in ("stable_worldmodel", "loguru", "einops") if PathFinder.find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason="pip install --no-deps stable-worldmodel loguru einops")

B, HORIZON = 2, 4
SAMPLING = {"num_samples": 16, "batch_size": B, "seed": 0}
SOLVERS = {
    "cem.CEMSolver": {**SAMPLING, "n_steps": 3, "topk": 4, "var_scale": 0.6},
    "icem.ICEMSolver": {**SAMPLING, "n_steps": 3, "topk": 4, "var_scale": 0.6},
    "mppi.MPPISolver": {**SAMPLING, "n_steps": 3, "topk": 4, "var_scale": 0.6, "temperature": 0.01},
    "predictive_sampling.PredictiveSamplingSolver": {**SAMPLING, "noise_scale": 0.6},
    "gd.GradientSolver": {**SAMPLING, "n_steps": 3, "optimizer_kwargs": {"lr": 0.3}, "var_scale": 0.3},
}


@pytest.fixture(scope="module")
def cost():
    model = load_checkpoint(shipped_checkpoint("push")).model
    return SwmCost(model, build_cost(DisplacementConfig()), ScoringConfig())


@pytest.fixture(scope="module")
def info():
    """The first tasks, with the hand right where a push begins."""
    task = load("push", "dev").select(range(B))
    images = (task.start_image, task.goal_image_without_hand)
    pixels, goal = (torch.from_numpy(image).permute(0, 3, 1, 2)[:, None] for image in images)
    hand, motion = torch.tensor([[0.2, 0.2], [0.8, 0.2]]), torch.tensor([[0.1, 0.0], [0.0, -0.1]])
    return {"pixels": pixels, "goal": goal, "hand": hand, "hand_motion": motion.expand(B, 2, 2)}


@pytest.mark.parametrize("name", SOLVERS)
def test_every_solver_plans_better_than_rest(cost, info, name):
    module, kind = name.split(".")
    solver = getattr(swm(f"solver.{module}"), kind)(cost, **SOLVERS[name])
    space = gymnasium.spaces.Box(-1, 1, (B, cost.model.action_dim), np.float32)
    config = SimpleNamespace(horizon=HORIZON, receding_horizon=2, action_block=1, warm_start=True)
    solver.configure(action_space=space, n_envs=B, config=config)
    plan = solver.solve(dict(info))["actions"]
    assert isinstance(solver, swm("solver.solver").Solver) and plan.shape == (B, HORIZON, cost.model.action_dim)
    with torch.no_grad():
        costs = score_of(cost, info)(torch.stack([plan, torch.zeros_like(plan)], dim=1))
    assert (costs[:, 0] < costs[:, 1]).all()


def test_solvers_take_the_cost_for_what_they_ask_for(cost):
    """Later releases check the same methods, and that nothing else is there that would change what they do."""
    asked = swm("protocols")
    assert not isinstance(cost, asked.Actionable) and not hasattr(cost, "get_constraints")
    assert all(callable(getattr(cost, name)) for name in ("get_cost", "criterion"))


def test_lewm_scores_for_a_planner_of_vfplan():
    torch.manual_seed(0)
    model = swm_model.lewm()
    found, at_rest = swm_model.plan(model)
    assert found.actions.shape == (2, 8, 4) and (found.cost < at_rest).all()


@torch.no_grad()
def test_lewm_says_the_same_by_its_own_method():
    torch.manual_seed(0)
    model, rng = swm_model.lewm(), torch.Generator().manual_seed(0)
    told = {"pixels": torch.rand(B, 1, 3, 64, 64), "goal": torch.rand(B, 1, 3, 64, 64), "action": torch.zeros(B, 1, 4)}
    plans = torch.rand(B, 3, HORIZON, 4, generator=rng)
    found = score_of(model, told)(plans)
    for problem in range(B):
        own = {key: value[problem : problem + 1, None].expand(1, 3, *value.shape[1:]) for key, value in told.items()}
        torch.testing.assert_close(found[problem], model.get_cost(own, plans[problem : problem + 1])[0])
