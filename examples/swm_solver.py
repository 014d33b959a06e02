"""The solver of stable-worldmodel plans with vfplan's model and cost, beside vfplan's own, on the same tasks.

pip install --no-deps stable-worldmodel loguru
python -m examples.swm_solver num_tasks=5 tasks=dev
"""

import sys
import time
from types import SimpleNamespace

import gymnasium
import numpy as np
import torch

from examples.swm_modules import swm
from vfplan import costs
from vfplan.control.loop import run_episodes
from vfplan.control.session import ClosedLoop
from vfplan.interop.swm import SwmCost
from vfplan.models.registry import latent_space
from vfplan.plan import main


class SolverAgent:
    """E episodes in lockstep: solves when its last plan was followed so far as to replan; what is left starts warm."""

    def __init__(self, solver, problem, every):
        self.solver, self.body, self.every = solver, problem.proprioception, every
        self.goals = torch.from_numpy(problem.goal_images).permute(0, 3, 1, 2)[:, None]  # (E, 1, C, Y, X) uint8
        self.ahead, self.rest = [], None

    def act(self, history):
        if not self.ahead:
            info = {"pixels": torch.from_numpy(np.stack(history.frames, 1)).permute(0, 1, 4, 2, 3), "goal": self.goals}
            if history.actions:
                info["action_history"] = torch.from_numpy(np.stack(history.actions, 1))
            info["hand"] = torch.from_numpy(self.body.locate(history.hands[-1][:, :2]))
            info["hand_motion"] = torch.from_numpy(self.body.motion).expand(len(self.goals), 2, 2)
            plan = self.solver.solve(info, init_action=self.rest)["actions"]  # (E, horizon, A)
            self.ahead, self.rest = list(plan[:, : self.every].unbind(1)), plan[:, self.every :]
        return self.ahead.pop(0).clamp(-1, 1).numpy()

    def look(self, history):
        pass


def with_swm(loop, group):
    """The tasks of a group under their solver: as many samples, iterations and elites as vfplan's has."""
    config, planner = loop.config, loop.config.planner
    scorer = costs.build_cost(config.cost, latent_space(loop.model))
    cost = SwmCost(loop.model, scorer, config.scoring, config.seed)
    sizes = {"num_samples": planner.samples, "n_steps": planner.iterations, "topk": planner.elites}
    sizes |= {"var_scale": planner.init_std, "batch_size": len(group), "seed": config.seed}
    solver = swm("solver.cem").CEMSolver(cost, **sizes)
    space = gymnasium.spaces.Box(-1, 1, (len(group), loop.model.action_dim), np.float32)
    times = {"horizon": planner.horizon, "receding_horizon": config.control.replan_every, "action_block": 1}
    solver.configure(action_space=space, n_envs=len(group), config=SimpleNamespace(**times))
    with loop.problem(group) as problem:
        agent = SolverAgent(solver, problem, config.control.replan_every)
        return run_episodes(problem, agent, config.control.steps)


if __name__ == "__main__":
    loop = ClosedLoop(main.configuration(["env=push", "planner=cem", *sys.argv[1:]]))
    group = range(len(loop.tasks))
    for name, run in (("vfplan", loop.run), ("stable-worldmodel", lambda group: with_swm(loop, group))):
        started = time.perf_counter()
        happened = run(group)
        for outcome in loop.tasks.outcomes(happened.frames, happened.infos):
            print(f"{name:<18}{outcome.line()}")
        print(f"{name:<18}{time.perf_counter() - started:.1f} s")
