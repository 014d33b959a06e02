"""A world model, a planner and a scorer that plan for E problems side by side: the only file where they meet.

E problem (episode), T step, A action, C channel, Y row, X column.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from planners.base import Belief, Plan, Planner
from vfplan.control.finalists import Score
from vfplan.control.settings import ControlConfig
from vfplan.control.surprise import Monitor
from vfplan.costs import Goal
from vfplan.models.base import Context, WorldModel
from vfplan.pixels import frames_from_unit


class Scores(Protocol):
    """Says what plans cost: `Scorer`, or what records what one is asked."""

    def score(self, state: Any, goal: Goal, rng: torch.Generator) -> Score:
        """A function from plans (E, N, T, A) to costs (E, N), for the encoded past `state` of E problems."""


class Controller:
    """Plans for E episodes in lockstep from what has been seen of them."""

    def __init__(
        self,
        model: WorldModel,
        planner: Planner,
        scorer: Scores,
        config: ControlConfig,
        rng: torch.Generator,
        monitor: Monitor | None = None,
    ) -> None:
        self.model, self.planner, self.scorer, self.config, self.rng = model, planner, scorer, config, rng
        if config.on_surprise != "ignore" and monitor is None:
            raise ValueError(f"on_surprise={config.on_surprise} needs a monitor")
        self.monitor = monitor
        self.belief: Belief | None = None

    def plan(self, context: Context, goal: Goal) -> Plan:
        """One plan per problem, warm-started from the last one."""
        if self.belief is None:
            self.belief = self.planner.initial_belief(len(context.frames), self.rng.device)
        plan = self._search(context, goal, self.belief)
        self.belief = plan.belief.shift(self.config.replan_every)
        return plan

    def plan_anew(self, context: Context, goal: Goal, alarms: NDArray[np.bool_], ahead: int) -> NDArray[np.float32]:
        """The next `ahead` actions of the alarmed problems (E,), planned from a cold start: (alarmed, ahead, A).

        Those problems' warm start is dropped; the others are left alone. With `ahead` 0 the planning that is due anyway
        starts cold.
        """
        assert self.belief is not None, "nothing was planned yet"
        device = self.rng.device
        self.belief = self.belief.forget(torch.from_numpy(alarms).to(device))
        problems = torch.from_numpy(np.flatnonzero(alarms)).to(device)
        if ahead == 0:
            return np.zeros((len(problems), 0, self.planner.action_dim), np.float32)
        plan = self._search(context.take(problems), goal.take(problems), self.belief.take(problems))
        self.belief = self.belief.put(problems, plan.belief.shift(ahead))
        return plan.actions[:, :ahead].cpu().numpy()

    def forget(self, problems: NDArray[np.bool_]) -> None:
        """Plan from a cold start next time for the problems marked in the mask (E,)."""
        if self.belief is not None:
            self.belief = self.belief.forget(torch.from_numpy(problems).to(self.rng.device))

    def observe(self, context: Context, action: NDArray[np.float32], image: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Whether images (E, Y, X, C) raise an alarm (E,) after `context` and actions (E, A); never without monitor."""
        if self.monitor is None:
            return np.zeros(len(action), np.bool_)
        frame = torch.from_numpy(image).permute(0, 3, 1, 2).to(self.rng.device)
        return self.monitor.observe(context, torch.from_numpy(action).to(self.rng.device), frame)

    def _search(self, context: Context, goal: Goal, belief: Belief) -> Plan:
        # What is made in inference mode can never be differentiated; a planner that must turns gradients on for itself.
        with torch.no_grad() if self.planner.needs_gradients else torch.inference_mode():
            score = self.scorer.score(self.model.encode(context), goal, self.rng)
            return self.planner.plan(score, belief, self.rng)

    @torch.inference_mode()
    def imagine(self, context: Context, actions: Tensor) -> NDArray[np.uint8]:
        """The full-size frames (E, T, Y, X, C) that the model expects of actions (E, T, A), at temperature 0."""
        noise = self.model.sample_noise(len(actions), actions.shape[1], None)
        images = self.model.decode(self.model.rollout(self.model.encode(context), actions, noise))
        return frames_from_unit(images).permute(0, 1, 3, 4, 2).cpu().numpy()
