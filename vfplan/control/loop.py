"""Closed-loop control: the only file where a model meets a planner.

E problem (episode), P past frame, T step, A action, C channel, Y row, X column.
E episodes run in lockstep, and each replanning is one batch over all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from planners.base import Belief, Plan, Planner
from vfplan.control.scoring import Scorer
from vfplan.control.settings import ControlConfig
from vfplan.control.surprise import Monitor, Surprise
from vfplan.costs import Goal
from vfplan.models.base import Context, WorldModel
from vfplan.pixels import frames_from_unit, unit_from_frames


class Environment(Protocol):
    """What control needs of an environment."""

    def step(self, action: NDArray[np.float32]) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Execute one action (A,)."""

    def get_state(self) -> NDArray[np.float64]:
        """The simulator's state (S,), for the oracle and for nobody else."""


@dataclass(frozen=True)
class Proprioception:
    """Where the camera sees the hand: known from calibration and joint angles on a robot, without any vision."""

    floor_to_image: NDArray[np.float64]
    """(3, 3) homography from (x, y, 1) in m to homogeneous (column, row) in fractions of the image."""
    action_scale: float
    """Metres per unit of action (dx, dy)."""

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> Proprioception:
        """From the description of a pushing environment."""
        to_pixel = np.asarray(description["floor_to_pixel"], dtype=np.float64)
        scale = np.diag([1 / description["image_size"], 1 / description["image_size"], 1.0])
        return cls(scale @ to_pixel, float(description["action_scale"]))

    def locate(self, xy: NDArray[Any]) -> NDArray[np.float32]:
        """Points (E, 2) in m to points (E, 2) in fractions of the image."""
        points = np.concatenate([xy, np.ones((len(xy), 1))], axis=1) @ self.floor_to_image.T
        return (points[:, :2] / points[:, 2:]).astype(np.float32)

    @property
    def motion(self) -> NDArray[np.float32]:
        """(2, 2) motion in the image of one unit of action, at the centre of the bin."""
        steps = np.array([[0.0, 0.0], [self.action_scale, 0.0], [0.0, self.action_scale]])
        centre, right, up = self.locate(steps)
        return np.stack([right - centre, up - centre], axis=1)


@dataclass(frozen=True)
class Problem:
    """E episodes to run; the environments have been reset to `observations`."""

    environments: Sequence[Environment]
    observations: Sequence[dict[str, Any]]
    """Each with image (Y, X, C) uint8, and hand (3,) in m where there is proprioception."""
    goal_images: NDArray[np.uint8]
    """(E, Y, X, C)."""
    proprioception: Proprioception | None = None


@dataclass(frozen=True)
class Trajectory:
    """What happened to E episodes in lockstep."""

    frames: NDArray[np.uint8]
    """(E, T + 1, Y, X, C)."""
    actions: NDArray[np.float32]
    """(E, T, A)."""
    imagined: NDArray[np.uint8] | None
    """(E, T, Y, X, C): what the model expected of the actions at the last planning; None if nobody asked."""
    infos: list[list[dict[str, Any]]]
    """Per episode, the environment's info after each action."""
    plan_costs: NDArray[np.float32]
    """(R, E) cost of the chosen plan at each of R plannings."""
    plan_seconds: list[float]
    """Wall time of each planning, all E problems together."""
    surprise: Surprise | None = None
    """What the monitor saw; None without one."""


class Controller:
    """Plans for E episodes in lockstep from what has been seen of them."""

    def __init__(
        self,
        model: WorldModel,
        planner: Planner,
        scorer: Scorer,
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


def run_episodes(
    problem: Problem,
    controller: Controller,
    *,
    imagine: bool = True,
    progress: Callable[[int], None] = lambda actions: None,
    renew: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] = lambda goals: goals,
    disturb: Callable[[NDArray[np.float32]], NDArray[np.float32]] = lambda action: action,
) -> Trajectory:
    """Run E environments in lockstep for `config.steps` actions.

    `progress` hears how many were executed. `renew` turns the goal images (E, Y, X, C) before each planning into those
    to plan for from then on, from a cold start where they differ; `disturb` turns actions (E, A) into those executed.
    """
    config, observations = controller.config, list(problem.observations)
    stopped = np.zeros(len(problem.environments), np.bool_)
    frames = [_images(observations)]
    actions: list[NDArray[np.float32]] = []
    infos: list[list[dict[str, Any]]] = [[] for _ in problem.environments]
    imagined, costs, seconds = [], [], []
    while len(actions) < config.steps:
        problem = _renewed(problem, renew(problem.goal_images), controller)
        context = _context(frames, actions, problem, controller)
        goal = _goal(frames, observations, problem, controller)
        started = time.perf_counter()
        plan = controller.plan(context, goal)
        chosen = plan.actions[:, : min(config.replan_every, config.steps - len(actions))]
        executed = chosen.cpu().numpy().copy()
        seconds.append(time.perf_counter() - started)
        costs.append(plan.cost.float().cpu().numpy())
        if imagine:
            imagined.append(controller.imagine(context, chosen))
        for done in range(1, executed.shape[1] + 1):
            action = disturb(np.where(stopped[:, None], np.float32(0), executed[:, done - 1]))
            known = _context(frames, actions, problem, controller)
            results = [env.step(row) for env, row in zip(problem.environments, action, strict=True)]
            observations = [result[0] for result in results]
            frames.append(_images(observations))
            actions.append(action)
            for info, result in zip(infos, results, strict=True):
                info.append(result[4])
            progress(len(results))
            alarms = controller.observe(known, action, frames[-1])
            if config.on_surprise == "stop":
                stopped |= alarms
            elif config.on_surprise == "replan" and alarms.any():
                now = _context(frames, actions, problem, controller), _goal(frames, observations, problem, controller)
                executed[alarms, done:] = controller.plan_anew(*now, alarms, executed.shape[1] - done)
    return Trajectory(
        frames=np.stack(frames, axis=1),
        actions=np.stack(actions, axis=1),
        imagined=np.concatenate(imagined, axis=1) if imagine else None,
        infos=infos,
        plan_costs=np.stack(costs),
        plan_seconds=seconds,
        surprise=None if controller.monitor is None else controller.monitor.record(),
    )


def _renewed(problem: Problem, goals: NDArray[np.uint8], controller: Controller) -> Problem:
    """The problem with these goal images, and a controller that forgets its plans for the old ones."""
    if goals is problem.goal_images:
        return problem
    controller.forget((goals != problem.goal_images).any(axis=(1, 2, 3)))
    return replace(problem, goal_images=goals)


def _images(observations: Sequence[dict[str, Any]]) -> NDArray[np.uint8]:
    return np.stack([observation["image"] for observation in observations])


def _context(
    frames: list[NDArray[np.uint8]], actions: list[NDArray[np.float32]], problem: Problem, controller: Controller
) -> Context:
    """The last P frames; before there are as many, the first stands still under zero actions."""
    model, device = controller.model, controller.rng.device
    past, count = model.past_frames, len(problem.environments)
    missing = max(0, past - len(frames))
    window = [frames[0]] * missing + frames[len(frames) - (past - missing) :]
    taken = np.zeros((count, past - 1, controller.planner.action_dim), np.float32)
    for slot, action in enumerate(actions[len(actions) - (past - 1 - missing) :] if past - 1 > missing else []):
        taken[:, missing + slot] = action
    images = torch.from_numpy(np.stack(window, axis=1)).permute(0, 1, 4, 2, 3).to(device)
    states = np.stack([env.get_state() for env in problem.environments]) if model.reads_simulator else None
    return Context(images, torch.from_numpy(taken).to(device), states)


def _goal(
    frames: list[NDArray[np.uint8]], observations: Sequence[dict[str, Any]], problem: Problem, controller: Controller
) -> Goal:
    """The goal at full size, the frames seen so far, and where the hand is now."""
    device = controller.rng.device
    images = unit_from_frames(torch.from_numpy(problem.goal_images).permute(0, 3, 1, 2).to(device))
    seen = unit_from_frames(torch.from_numpy(np.stack(frames, axis=1)).permute(0, 1, 4, 2, 3).to(device))
    body = problem.proprioception
    if body is None or "hand" not in observations[0]:
        return Goal(images, seen=seen)
    hand = body.locate(np.stack([observation["hand"][:2] for observation in observations]))
    return Goal(images, torch.from_numpy(hand).to(device), torch.from_numpy(body.motion).to(device), seen)
