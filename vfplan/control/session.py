"""A planner and a world model on a task set, group by group: what `plan` and `benchmark` have in common.

E problem (episode). Tasks are run in lockstep groups that depend on their place in the set alone, and the noise of a
group on the seed and its first task: a group gives the same actions whatever else runs before, beside or after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import torch

import envs
from envs import PushConfig, Tasks, World
from envs.base import WrongObservationError
from envs.task_set import TaskSet
from vfplan import costs
from vfplan.control import fit
from vfplan.control.agent import plan_episodes
from vfplan.control.calibration import Calibration, read_calibration
from vfplan.control.controller import Controller
from vfplan.control.loop import Problem, Trajectory
from vfplan.control.proprioception import Proprioception
from vfplan.control.scoring import Scorer
from vfplan.control.search_recorder import SearchRecorder
from vfplan.control.settings import ControlConfig, SessionConfig
from vfplan.control.surprise import Monitor
from vfplan.device import resolve_device
from vfplan.errors import UserError
from vfplan.models.base import MonitorableModel, WorldModel
from vfplan.models.registry import latent_space

AnyTasks = TypeVar("AnyTasks", bound=Tasks[Any])


class ClosedLoop(Generic[AnyTasks]):
    """The settings of `vfplan.plan` or `audit`, loaded and checked; a study says which tasks it needs.

    Raises:
        UserError: for an environment that cannot be used, and tasks or a checkpoint that do not fit.
    """

    def __init__(self, config: SessionConfig) -> None:
        # Described as one whose episodes last as long as they are to be run, so that one that ends before is refused.
        lasting = replace(config.env, length=max(config.env.length, config.control.steps))
        self.config, self.world = config, envs.world(lasting)
        self.device = resolve_device(config.device)
        self.description = fit.description(self.world)
        self.planner = fit.build_planner(config.planner, self.world)
        self.chosen = fit.choose_model(config, self.world, self.device)
        self.model = self.chosen.model
        fit.check_scales(self.model, config.scoring, config.env.image_size)
        self.calibration = _calibration(config.control, config.env.name, self.checkpoint_sha256)
        self.proprioception = Proprioception.from_description(self.description)
        self.tasks = cast(AnyTasks, load_tasks(envs.world(config.env), config.tasks, config.num_tasks))

    @property
    def checkpoint_sha256(self) -> str | None:
        """Of the weights that are planned with; None without any."""
        return self.chosen.checkpoint_sha256

    def scorer(self, part: AnyTasks) -> Scorer:
        """Build the scorer for the tasks of a group."""
        return Scorer(self.model, costs.build_cost(self.config.cost, latent_space(self.model)), self.config.scoring)

    def rng(self, group: range) -> torch.Generator:
        """What the planner draws from for a group."""
        return torch.Generator(self.device).manual_seed(self.config.seed + group.start)

    def problem(self, group: range) -> Problem:
        """The tasks of a group, at their starts."""
        part = self.tasks.select(group)
        environments, observations = part.start()
        return Problem(environments, observations, part.goals(hand=self.config.goal_hand), self.proprioception)

    def run(
        self,
        group: range,
        *,
        imagine: bool = False,
        record: bool = False,
        progress: Callable[[int], None] = lambda actions: None,
    ) -> Trajectory:
        """Run the tasks of `group` in lockstep; `progress` hears how many actions were executed.

        With `record` the trajectory has what the planner looked at.
        """
        monitor, scorer = _monitor(self.model, self.calibration), self.scorer(self.tasks.select(group))
        controller = Controller(self.model, self.planner, scorer, self.config.control, self.rng(group), monitor)
        with self.problem(group) as problem, misbehaving(self.config.env.name, group):
            if not record:
                return plan_episodes(problem, controller, imagine=imagine, progress=progress)
            recorder = SearchRecorder(self.model, self.config.scoring.downscale)
            happened = plan_episodes(problem, controller, imagine=imagine, progress=progress, on_plan=recorder.note)
            return replace(happened, searches=recorder.record())

    @property
    def about(self) -> dict[str, Any]:
        """All that what happens to a group depends on."""
        config = self.config
        return {
            "env": asdict(config.env),
            "tasks": config.tasks,
            "tasks_sha256": self.tasks.sha256,
            "steps": config.control.steps,
            "seed": config.seed,
            "lockstep": config.lockstep,
            "device": self.device.type,
            "model": config.model,
            "checkpoint_sha256": self.checkpoint_sha256,
            "precision": config.precision,
            "planner": {"type": type(config.planner).__name__, **asdict(config.planner)},
            "cost": asdict(config.cost),
            "goal_hand": config.goal_hand,
            "scoring": asdict(config.scoring),
            "control": asdict(config.control),
        }


@contextmanager
def misbehaving(env: str, group: range) -> Iterator[None]:
    """Turn what an environment shows wrongly in a group of tasks into a UserError that names the task."""
    try:
        yield
    except WrongObservationError as error:
        task = "" if error.episode is None else f", task {group[error.episode]}"
        raise UserError(f"env={env}{task}: {error}") from error


def groups(num_tasks: int, lockstep: int) -> list[range]:
    """Which tasks are run side by side."""
    return [range(first, min(first + lockstep, num_tasks)) for first in range(0, num_tasks, lockstep)]


def load_tasks(world: World[Any], split: str, count: int) -> Tasks[Any]:
    """The first `count` (0: all) tasks of a split. Raises UserError where there are not as many."""
    try:
        return world.tasks(split, count)
    except ValueError as error:
        raise UserError(str(error)) from error


def push_tasks(env: PushConfig, split: str, count: int) -> TaskSet:
    """The same in a pushing environment, where tasks are stored."""
    return cast(TaskSet, load_tasks(envs.world(env), split, count))


def _calibration(control: ControlConfig, env: str, checkpoint_sha256: str | None) -> Calibration | None:
    """The calibration that `control.monitor` names, if any. Raises UserError if it was made for something else."""
    if not control.monitor:
        return None
    return read_calibration(Path(control.monitor), checkpoint_sha256=checkpoint_sha256, env=env, steps=control.steps)


def _monitor(model: WorldModel, calibration: Calibration | None) -> Monitor | None:
    """A monitor for one lockstep group; none without a calibration."""
    if calibration is None:
        return None
    if not isinstance(model, MonitorableModel):
        raise UserError(f"control.monitor needs a model with cell_log_prob, which {type(model).__name__} has not")
    return Monitor(model, calibration.surprise, calibration.threshold)
