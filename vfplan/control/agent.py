"""An agent that plans: closed-loop control of E episodes in lockstep, each replanning one batch over all of them.

E problem (episode), P past frame, R planning, T step, A action, C channel, Y row, X column.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from planners.base import Plan
from vfplan.control.controller import Controller
from vfplan.control.loop import History, Problem, Trajectory, run_episodes
from vfplan.costs import Goal
from vfplan.models.base import Context
from vfplan.pixels import unit_from_frames

Images = NDArray[np.uint8]
Actions = NDArray[np.float32]


def plan_episodes(
    problem: Problem,
    controller: Controller,
    *,
    imagine: bool = True,
    progress: Callable[[int], Any] = lambda actions: None,
    renew: Callable[[Images], Images] = lambda goals: goals,
    disturb: Callable[[Actions], Actions] = lambda action: action,
    on_plan: Callable[[Context, Goal, Plan], Any] = lambda context, goal, plan: None,
) -> Trajectory:
    """Run E environments in lockstep for `controller.config.steps` planned actions.

    `progress` hears how many were executed. `renew` turns the goal images (E, Y, X, C) before each planning into those
    to plan for from then on, from a cold start where they differ; `disturb` turns actions (E, A) into those executed;
    `on_plan` hears what was planned from, and the plans.
    """
    agent = PlanningAgent(problem, controller, imagine=imagine, renew=renew, disturb=disturb, on_plan=on_plan)
    happened = run_episodes(problem, agent, controller.config.steps, progress=progress)
    return replace(
        happened,
        goals=problem.goal_images,
        imagined=np.concatenate(agent.imagined, axis=1) if imagine else None,
        plan_costs=np.stack(agent.costs),
        plan_seconds=tuple(agent.seconds),
        surprise=None if controller.monitor is None else controller.monitor.record(),
    )


class PlanningAgent:
    """Plans anew whenever its last plan has been followed as far as `replan_every` says."""

    def __init__(
        self,
        problem: Problem,
        controller: Controller,
        *,
        imagine: bool,
        renew: Callable[[Images], Images],
        disturb: Callable[[Actions], Actions],
        on_plan: Callable[[Context, Goal, Plan], Any],
    ) -> None:
        self.problem, self.controller = problem, controller
        self.imagine, self.renew, self.disturb, self.on_plan = imagine, renew, disturb, on_plan
        self.imagined: list[Images] = []
        """(E, T, Y, X, C) expected of each plan's actions."""
        self.costs: list[NDArray[np.float32]] = []
        """(E,) of each plan."""
        self.seconds: list[float] = []
        self._stopped = np.zeros(len(problem.environments), np.bool_)
        self._ahead = np.zeros((len(problem.environments), 0, controller.planner.action_dim), np.float32)

    def act(self, history: History) -> Actions:
        """The next actions (E, A), after planning where it is time."""
        if not self._ahead.shape[1]:
            self._ahead = self._plan(history)
        action, self._ahead = self._ahead[:, 0], self._ahead[:, 1:]
        return self.disturb(np.where(self._stopped[:, None], np.float32(0), action))

    def look(self, history: History) -> None:
        """Show the monitor what followed, and react to its alarms."""
        controller = self.controller
        if controller.monitor is None:
            return
        alarms = controller.observe(self._context(history, before=1), history.actions[-1], history.frames[-1])
        if controller.config.on_surprise == "stop":
            self._stopped |= alarms
        elif controller.config.on_surprise == "replan" and alarms.any():
            now = self._context(history), self._goal(history)
            self._ahead[alarms] = controller.plan_anew(*now, alarms, self._ahead.shape[1])

    def _plan(self, history: History) -> Actions:
        """The actions (E, T, A) to follow until the next planning."""
        self._renew_goals()
        controller, config = self.controller, self.controller.config
        context, goal = self._context(history), self._goal(history)
        started = time.perf_counter()
        plan = controller.plan(context, goal)
        chosen = plan.actions[:, : min(config.replan_every, config.steps - len(history.actions))]
        # Where every candidate was rejected there is no plan: what is held stays so, and nothing else moves.
        chosen = torch.where(plan.cost.isfinite()[:, None, None], chosen, plan.belief.initial_mean)
        ahead = chosen.cpu().numpy().copy()
        self.seconds.append(time.perf_counter() - started)
        self.costs.append(plan.cost.float().cpu().numpy())
        self.on_plan(context, goal, plan)
        if self.imagine:
            self.imagined.append(controller.imagine(context, chosen))
        return ahead

    def _renew_goals(self) -> None:
        """Take on new goals, and forget the plans for the old ones."""
        goals = self.renew(self.problem.goal_images)
        if goals is not self.problem.goal_images:
            self.controller.forget((goals != self.problem.goal_images).any(axis=(1, 2, 3)))
            self.problem = replace(self.problem, goal_images=goals)

    def _context(self, history: History, *, before: int = 0) -> Context:
        """The last P frames, or those `before` the last; where there are fewer, the first stands still at first."""
        model, device = self.controller.model, self.controller.rng.device
        count, past = len(history.frames) - before, model.past_frames
        known = range(max(0, count - past), count)
        still = past - len(known)
        frames = [history.frames[0]] * still + [history.frames[index] for index in known]
        rest = np.zeros((len(frames[0]), self.controller.planner.action_dim), np.float32)
        taken = [rest] * min(still, past - 1) + [history.actions[index] for index in known[:-1]]
        images = torch.from_numpy(np.stack(frames, axis=1)).permute(0, 1, 4, 2, 3).to(device)
        actions = np.stack(taken, axis=1) if taken else rest[:, None][:, :0]
        states = self.problem.states() if model.reads_simulator else None
        hand = None
        if history.hands:
            places = [history.hands[0]] * still + [history.hands[index] for index in known]
            hand = torch.from_numpy(np.stack(places, axis=1)[..., :2]).to(device)
        return Context(images, torch.from_numpy(actions).to(device), states, hand)

    def _goal(self, history: History) -> Goal:
        """The goal at full size, the frames seen so far, and where the hand is now."""
        device = self.controller.rng.device
        images = unit_from_frames(torch.from_numpy(self.problem.goal_images).permute(0, 3, 1, 2).to(device))
        seen = unit_from_frames(torch.from_numpy(np.stack(history.frames, 1)).permute(0, 1, 4, 2, 3).to(device))
        body = self.problem.proprioception
        if body is None or not history.hands:
            return Goal(images, seen=seen)
        hand = body.locate(history.hands[-1][:, :2])
        return Goal(images, torch.from_numpy(hand).to(device), torch.from_numpy(body.motion).to(device), seen)
