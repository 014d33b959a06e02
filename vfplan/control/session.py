"""A planner and a world model on a task set, group by group: what `plan` and `benchmark` have in common.

E problem (episode). Tasks are run in lockstep groups that depend on their place in the set alone, and the noise of a
group on the seed and its first task: a group gives the same actions whatever else runs before, beside or after it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

import planners
from envs import tasks as task_sets
from envs.push import PushEnv
from envs.scene import PushConfig
from envs.tasks import TaskSet
from planners.search import PlannerConfig, SearchPlanner
from vfplan import costs
from vfplan.control.agent import plan_episodes
from vfplan.control.calibration import Calibration, read_calibration
from vfplan.control.controller import Controller
from vfplan.control.loop import Problem, Trajectory
from vfplan.control.proprioception import Proprioception
from vfplan.control.scoring import Scorer, ScoringConfig
from vfplan.control.settings import ControlConfig, SessionConfig
from vfplan.control.surprise import Monitor
from vfplan.data.rounding import six_digits
from vfplan.device import resolve_device
from vfplan.errors import UserError
from vfplan.models.base import MonitorableModel, WorldModel
from vfplan.models.checkpoint import Checkpoint, load_checkpoint, shipped_checkpoint
from vfplan.models.latent_space import latent_space
from vfplan.models.oracle import SimulatorOracle
from vfplan.models.precision import Precision, network_dtype


class ClosedLoop:
    """The settings of `vfplan.plan` or `audit`, loaded and checked.

    Raises:
        UserError: for tasks or a checkpoint that do not fit.
    """

    def __init__(self, config: SessionConfig) -> None:
        assert isinstance(config.env, PushConfig)  # `gym_run` runs the others
        self.config, self.env = config, config.env
        self.planner = build_planner(config.planner, self.env)
        self.device = resolve_device(config.device)
        self.tasks = load_tasks(self.env, config.tasks, config.num_tasks)
        self.model: WorldModel
        self.checkpoint_sha256: str | None
        if config.model == "oracle":
            self.model, self.checkpoint_sha256 = SimulatorOracle(self.env, device=self.device), None
        else:
            trained = load_trained(config.checkpoint, self.env, config.precision, self.device)
            self.model, self.checkpoint_sha256 = trained.model, trained.sha256
        check_scales(self.model, config.scoring, self.env.image_size)
        self.calibration = _calibration(config.control, self.env, self.checkpoint_sha256)
        self.proprioception = Proprioception.from_description(describe(self.env))

    def scorer(self, part: TaskSet) -> Scorer:
        """What judges plans for the tasks of a group."""
        return Scorer(self.model, costs.build_cost(self.config.cost, latent_space(self.model)), self.config.scoring)

    def goal_images(self, part: TaskSet) -> Any:
        """The goals (E, Y, X, C) that the planner is shown, uint8."""
        return part.goal_image if self.config.goal_hand else part.goal_image_without_hand

    def rng(self, group: range) -> torch.Generator:
        """What the planner draws from for a group."""
        return torch.Generator(self.device).manual_seed(self.config.seed + group.start)

    def problem(self, group: range) -> Problem:
        """The tasks of a group, at their starts."""
        part = self.tasks.select(group)
        environments, observations = start(self.env, part)
        return Problem(environments, observations, self.goal_images(part), self.proprioception)

    def run(
        self, group: range, *, imagine: bool = False, progress: Callable[[int], None] = lambda actions: None
    ) -> Trajectory:
        """Run the tasks of `group` in lockstep; `progress` hears how many actions were executed."""
        monitor, scorer = _monitor(self.model, self.calibration), self.scorer(self.tasks.select(group))
        controller = Controller(self.model, self.planner, scorer, self.config.control, self.rng(group), monitor)
        return plan_episodes(self.problem(group), controller, imagine=imagine, progress=progress)


def build_planner(config: PlannerConfig, env: PushConfig) -> SearchPlanner:
    """The planner for actions in `env`, which says what is held where `config` does not. Raises UserError."""
    try:
        return planners.build(config if config.hold is not None else replace(config, hold=env.hold), env.action_names)
    except ValueError as error:
        raise UserError(f"planner: {error}") from error


def groups(num_tasks: int, lockstep: int) -> list[range]:
    """Which tasks are run side by side."""
    return [range(first, min(first + lockstep, num_tasks)) for first in range(0, num_tasks, lockstep)]


def load_tasks(env: PushConfig, split: str, count: int) -> TaskSet:
    """The first `count` (0: all) tasks of an environment's set. Raises UserError where there are not as many."""
    try:
        tasks = task_sets.load(env.name, split)
    except ValueError as error:
        raise UserError(str(error)) from error
    if count > len(tasks):
        raise UserError(f"{count} tasks asked for, but {env.name} {split} has {len(tasks)}")
    return tasks.select(range(count or len(tasks)))


def start(env: PushConfig, part: TaskSet) -> tuple[list[PushEnv], list[dict[str, Any]]]:
    """An environment for each task, in its start state, and what it shows there; the task seeds what is random."""
    environments = [PushEnv(env) for _ in part.seeds]
    observations = [
        environment.reset(seed=seed, options={"state": state})[0]
        for environment, seed, state in zip(environments, part.seeds, part.start_state, strict=True)
    ]
    return environments, observations


def describe(env: PushConfig) -> dict[str, Any]:
    """What a store of this environment would say about it."""
    shell = PushEnv(env)
    description = shell.description()
    shell.close()
    return description


def load_trained(folder: str, env: PushConfig, precision: Precision, device: torch.device) -> Checkpoint:
    """The checkpoint in `folder`, or the one shipped for `env` if that is empty.

    Raises:
        UserError: if there is none, or it was trained on something else.
    """
    path, wanted = Path(folder) if folder else shipped_checkpoint(env.name), describe(env)
    checkpoint = load_checkpoint(path, device)
    trained = checkpoint.environment
    for key in ("name", "image_size", "renderer", "action_scale"):
        if trained.get(key) != wanted[key]:
            raise UserError(
                f"checkpoint {path} was trained on {key}={trained.get(key)}, but env={env.name} has {key}={wanted[key]}"
            )
    if "mjcf" in trained and six_digits(trained["mjcf"]) != six_digits(wanted["mjcf"]):
        raise UserError(f"checkpoint {path} was trained on another scene than env={env.name} has now: its mjcf differs")
    checkpoint.model.set_compute_dtype(network_dtype(precision, device))
    return checkpoint


def check_scales(model: WorldModel, scoring: ScoringConfig, image_size: int) -> None:
    """Raise UserError for a scale at which the model cannot imagine."""
    for futures in scoring.stages():
        try:
            model.sample_noise(1, 1, None, downscale=futures.downscale)
        except ValueError as error:
            raise UserError(f"scoring.{error}") from error
        if image_size % futures.downscale:
            raise UserError(f"scoring.downscale must divide the image size {image_size}; got {futures.downscale}")


def _calibration(control: ControlConfig, env: PushConfig, checkpoint_sha256: str | None) -> Calibration | None:
    """The calibration that `control.monitor` names, if any. Raises UserError if it was made for something else."""
    if not control.monitor:
        return None
    path = Path(control.monitor)
    return read_calibration(path, checkpoint_sha256=checkpoint_sha256, env=env.name, steps=control.steps)


def _monitor(model: WorldModel, calibration: Calibration | None) -> Monitor | None:
    """A monitor for one lockstep group; none without a calibration."""
    if calibration is None:
        return None
    if not isinstance(model, MonitorableModel):
        raise UserError(f"control.monitor needs a model with cell_log_prob, which {type(model).__name__} has not")
    return Monitor(model, calibration.surprise, calibration.threshold)
