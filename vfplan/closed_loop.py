"""A planner and a world model on a task set, group by group: what `plan` and `benchmark` have in common.

E problem (episode). Tasks are run in lockstep groups that depend on their place in the set alone, and the noise of a
group on the seed and its first task: a group gives the same actions whatever else runs before, beside or after it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

import planners
from envs import tasks as task_sets
from envs.push import PushEnv
from envs.scene import PushConfig
from envs.tasks import TaskSet
from vfplan import costs
from vfplan.control import Controller, Problem, Proprioception, Trajectory, run_episodes
from vfplan.device import resolve_device
from vfplan.errors import UserError
from vfplan.models.base import WorldModel
from vfplan.models.checkpoint import load_checkpoint, shipped_checkpoint
from vfplan.models.latent_space import latent_space
from vfplan.models.oracle import SimulatorOracle
from vfplan.models.precision import network_dtype
from vfplan.scoring import Scorer

if TYPE_CHECKING:
    from vfplan.audit import AuditConfig
    from vfplan.plan import PlanConfig


class ClosedLoop:
    """The settings of `vfplan.plan` or `audit`, loaded and checked.

    Raises:
        UserError: for tasks or a checkpoint that do not fit.
    """

    def __init__(self, config: PlanConfig | AuditConfig) -> None:
        self.config = config
        self.device = resolve_device(config.device)
        self.tasks = load_tasks(config.env, config.tasks, config.num_tasks)
        description = _described(config.env)
        self.model, self.checkpoint_sha256 = _model(config, description, self.device)
        _check_scale(self.model, config.scoring.downscale, config.env.image_size)
        self.proprioception = Proprioception.from_description(description)

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
        environments, observations = start(self.config.env, part, group)
        return Problem(environments, observations, self.goal_images(part), self.proprioception)

    def run(
        self, group: range, *, imagine: bool = False, progress: Callable[[int], None] = lambda actions: None
    ) -> Trajectory:
        """Run the tasks of `group` in lockstep; `progress` hears how many actions were executed."""
        planner, scorer = planners.build(self.config.planner), self.scorer(self.tasks.select(group))
        controller = Controller(self.model, planner, scorer, self.config.control, self.rng(group))
        return run_episodes(self.problem(group), controller, imagine=imagine, progress=progress)


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
        raise UserError(f"num_tasks={count}, but {env.name} {split} has {len(tasks)} tasks")
    return tasks.select(range(count or len(tasks)))


def start(env: PushConfig, part: TaskSet, group: range) -> tuple[list[PushEnv], list[dict[str, Any]]]:
    """An environment for each task of `part`, in its start state, and what it shows there.

    The index of a task in its set seeds what is random in its world.
    """
    environments = [PushEnv(env) for _ in group]
    observations = [
        environment.reset(seed=task, options={"state": state})[0]
        for environment, task, state in zip(environments, group, part.start_state, strict=True)
    ]
    return environments, observations


def _described(env: PushConfig) -> dict[str, Any]:
    shell = PushEnv(env)
    description = shell.description()
    shell.close()
    return description


def _model(
    config: PlanConfig | AuditConfig, wanted: dict[str, Any], device: torch.device
) -> tuple[WorldModel, str | None]:
    """The world model, checked against the description `wanted` of the environment, and the hash of its weights."""
    if config.model == "oracle":
        return SimulatorOracle(config.env, device=device), None
    folder = Path(config.checkpoint) if config.checkpoint else shipped_checkpoint(config.env.name)
    checkpoint = load_checkpoint(folder, device)
    trained = checkpoint.environment
    for key in ("name", "image_size", "renderer", "action_scale"):
        if trained.get(key) != wanted[key]:
            raise UserError(
                f"checkpoint {folder} was trained on {key}={trained.get(key)}, but env={config.env.name} has "
                f"{key}={wanted[key]}"
            )
    checkpoint.model.set_compute_dtype(network_dtype(config.precision, device))
    return checkpoint.model, checkpoint.sha256


def _check_scale(model: WorldModel, downscale: int, image_size: int) -> None:
    try:
        model.sample_noise(1, 1, None, downscale=downscale)
    except ValueError as error:
        raise UserError(f"scoring.{error}") from error
    if image_size % downscale:
        raise UserError(f"scoring.downscale must divide the image size {image_size}; got {downscale}")
