"""Closed-loop evaluation of a planner and a world model on a task set: what the command `plan` runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from tqdm import tqdm

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
from vfplan.models.oracle import SimulatorOracle
from vfplan.models.precision import network_dtype
from vfplan.results import TaskResult, summary, summary_lines, task_results
from vfplan.rundir import RunDir
from vfplan.scoring import Scorer
from vfplan.video import grid, write_gif

if TYPE_CHECKING:
    from vfplan.plan import PlanConfig


def run(config: PlanConfig) -> None:
    """Run the tasks, print a line per task and a summary, write the run folder."""
    device = resolve_device(config.device)
    folder = RunDir(config.run_dir, config)
    tasks, description = _tasks(config), _described(config.env)
    model, sha256 = _model(config, description, device)
    _check_scale(model, config.scoring.downscale, config.env.image_size)
    scorer = Scorer(model, costs.build_cost(config.cost), config.scoring)
    proprioception = Proprioception.from_description(description)
    results: list[TaskResult] = []
    clips: list[tuple[TaskSet, Trajectory]] = []
    with tqdm(total=len(tasks) * config.control.steps, unit="action", mininterval=1.0) as bar:
        for first in range(0, len(tasks), config.lockstep):
            part = tasks.select(range(first, min(first + config.lockstep, len(tasks))))
            rng = torch.Generator(device).manual_seed(config.seed + first)
            controller = Controller(model, planners.build(config.planner), scorer, config.control, rng)
            problem = _problem(part, config, proprioception)
            trajectory = run_episodes(problem, controller, imagine=config.gif and not clips, progress=bar.update)
            results += task_results(part, trajectory, first=first)
            if config.gif and not clips:
                clips.append((part, trajectory))
            for result in results[first:]:
                bar.write(result.line())
    report = summary(results, checkpoint_sha256=sha256, tasks_sha256=tasks.sha256, model=config.model)
    folder.write_json("results.json", report)
    print("\n".join(summary_lines(report)))
    for part, trajectory in clips:
        _write_clip(folder.file("episodes.gif"), part, trajectory, config)
    written = ["results.json", "config.json"] + (["episodes.gif"] if clips else [])
    print(f"wrote {', '.join(str(folder.path / name) for name in written)}")
    print(f"next: python -m vfplan.plan env={config.env.name} num_tasks=0 model=oracle  # the simulator as the model")


def _tasks(config: PlanConfig) -> TaskSet:
    try:
        tasks = task_sets.load(config.env.name, config.tasks)
    except ValueError as error:
        raise UserError(str(error)) from error
    if config.num_tasks > len(tasks):
        raise UserError(f"num_tasks={config.num_tasks}, but {config.env.name} {config.tasks} has {len(tasks)} tasks")
    return tasks.select(range(config.num_tasks or len(tasks)))


def _described(env: PushConfig) -> dict[str, Any]:
    shell = PushEnv(env)
    description = shell.description()
    shell.close()
    return description


def _model(config: PlanConfig, wanted: dict[str, Any], device: torch.device) -> tuple[WorldModel, str | None]:
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


def _problem(part: TaskSet, config: PlanConfig, proprioception: Proprioception) -> Problem:
    environments = [PushEnv(config.env) for _ in range(len(part))]
    observations = [
        env.reset(seed=0, options={"state": state})[0]
        for env, state in zip(environments, part.start_state, strict=True)
    ]
    goals = part.goal_image if config.goal_hand else part.goal_image_without_hand
    return Problem(environments, observations, goals, proprioception)


def _write_clip(path: Path, part: TaskSet, trajectory: Trajectory, config: PlanConfig, *, most: int = 6) -> None:
    """A GIF with a row per task: the goal, what happened, and what was imagined of the actions chosen."""
    count = min(most, len(part))
    goals = part.goal_image if config.goal_hand else part.goal_image_without_hand
    shown = np.repeat(goals[:count, None], trajectory.frames.shape[1], axis=1)
    happened = trajectory.frames[:count]
    assert trajectory.imagined is not None
    imagined = np.concatenate([happened[:, :1], trajectory.imagined[:count]], axis=1)
    columns = [("goal", shown), ("happened", happened), ("imagined", imagined)]
    write_gif(path, grid(columns, scale=3), config.env.step_seconds)
