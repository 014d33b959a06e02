"""Closed-loop episodes in a registered Gymnasium environment: what the command `plan` runs where nobody knows a state.

Goals are images that random actions led to. Success is judged by images, and in Push-T by the block's pose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

import planners
from envs import GymConfig, GymEnv, gym_tasks
from envs.gym_tasks import GymTasks
from planners.baselines import RandomConfig, ZeroConfig
from planners.search import PlannerConfig
from vfplan import costs
from vfplan.control.agent import plan_episodes
from vfplan.control.controller import Controller
from vfplan.control.loop import Problem, Trajectory
from vfplan.control.scoring import Scorer
from vfplan.control.session import check_scales, groups
from vfplan.control.settings import PlanConfig
from vfplan.device import resolve_device, set_threads
from vfplan.errors import UserError
from vfplan.models.base import WorldModel
from vfplan.models.checkpoint import load_checkpoint
from vfplan.models.latent_space import latent_space
from vfplan.models.precision import network_dtype
from vfplan.models.still import StillModel
from vfplan.output.folder import RunDir
from vfplan.output.video import grid, write_gif
from vfplan.statistics import wilson_interval


def run(config: PlanConfig) -> None:
    """Run the tasks, print a line per task and a summary, write the run folder."""
    set_threads(config.threads)
    assert isinstance(config.env, GymConfig)
    device, folder = resolve_device(config.device), RunDir(config.run_dir, config)
    description = _description(config.env, config.control.steps)
    model, sha256 = _model(config, description, device)
    check_scales(model, config.scoring, config.env.image_size)
    if config.control.monitor:
        raise UserError(f"control.monitor watches the pushing environments; env={config.env.name} is none")
    tasks = _tasks(config)
    scorer, rows = Scorer(model, costs.build_cost(config.cost, latent_space(model)), config.scoring), []
    with tqdm(total=len(tasks) * config.control.steps, unit="action", mininterval=1.0) as bar:
        for group in groups(len(tasks), config.lockstep):
            rng = torch.Generator(device).manual_seed(config.seed + group.start)
            controller = Controller(model, _planner(config, model.action_dim), scorer, config.control, rng)
            problem = _problem(config.env, tasks, group)
            wanted = config.gif and group.start == 0
            trajectory = plan_episodes(problem, controller, imagine=wanted, progress=bar.update)
            for index, task in enumerate(group):
                found = gym_tasks.measure(tasks, task, trajectory.frames[index], trajectory.infos[index])
                rows.append({"task": task, "seed": tasks.seeds[task], "solved": gym_tasks.is_solved(found), **found})
                bar.write(f"task {task:3d}: {_told(rows[-1])}")
            for environment in problem.environments:
                environment.close()  # type: ignore[attr-defined]
            if wanted:
                _write_clip(folder.file("episodes.gif"), tasks, trajectory, description["step_seconds"])
    report = _summary(rows, model=config.model if sha256 else "still", checkpoint=sha256, tasks_sha256=tasks.sha256)
    folder.write_json("results.json", report)
    print("\n".join(_lines(report)))
    written = ["results.json", "config.json"] + (["episodes.gif"] if config.gif else [])
    print(f"wrote {', '.join(str(folder.path / name) for name in written)}")
    print(f"next: python -m vfplan.collect env={config.env.name}{_id(config.env)}  # data to train a model on")


def _tasks(config: PlanConfig) -> GymTasks:
    assert isinstance(config.env, GymConfig)
    try:
        return gym_tasks.generate(config.env, config.tasks, config.num_tasks)
    except ValueError as error:
        raise UserError(str(error)) from error


def _description(env: GymConfig, steps: int) -> dict[str, Any]:
    try:
        shell = GymEnv(replace(env, length=max(env.length, steps)))
    except ValueError as error:
        raise UserError(str(error)) from error
    shell.close()
    return {**shell.description(), "actions": shell.action_space.shape[0]}


def _model(config: PlanConfig, wanted: dict[str, Any], device: torch.device) -> tuple[WorldModel, str | None]:
    """The world model, checked against the description `wanted` of the environment, and the hash of its weights."""
    env = config.env.name
    if config.model == "oracle":
        raise UserError(f"model=oracle continues a simulator's state, and env={env} cannot give one; set checkpoint=")
    if not config.checkpoint:
        if not _needs_no_model(config.planner):
            raise UserError(f"no checkpoint ships for env={env}; set checkpoint=, or planner=random or planner=zero")
        return StillModel(wanted["actions"]), None
    checkpoint = load_checkpoint(Path(config.checkpoint), device)
    trained = checkpoint.environment
    for key in ("id", "image_size", "action_scale"):
        if trained.get(key) != wanted[key]:
            raise UserError(
                f"checkpoint {config.checkpoint} was trained on {key}={trained.get(key)}, but env={env} has "
                f"{key}={wanted[key]}"
            )
    checkpoint.model.set_compute_dtype(network_dtype(config.precision, device))
    return checkpoint.model, checkpoint.sha256


def _needs_no_model(planner: PlannerConfig) -> bool:
    """Whether a planner chooses without looking at what is imagined."""
    return isinstance(planner, ZeroConfig) or (isinstance(planner, RandomConfig) and planner.samples == 1)


def _planner(config: PlanConfig, action_dim: int) -> Any:
    try:
        return planners.build(replace(config.planner, action_dim=action_dim))
    except ValueError as error:
        raise UserError(f"planner: {error}") from error


def _problem(env: GymConfig, tasks: GymTasks, group: range) -> Problem:
    environments = [GymEnv(env) for _ in group]
    observations = [each.reset(seed=tasks.seeds[task])[0] for each, task in zip(environments, group, strict=True)]
    return Problem(environments, observations, tasks.goal_image[group.start : group.stop])


def _told(row: dict[str, Any]) -> str:
    mark = "solved" if row["solved"] else "not solved"
    if "block_px" in row:
        error = f"{row['block_px']:5.1f} px and {row['block_degrees']:5.1f} degrees from the goal"
        return f"{error}, {100 * row['coverage']:.0f} % covered  ({mark})"
    return f"{100 * row['final']:5.1f} % of the image distance left, reward {row['reward']:.2f}  ({mark})"


def _summary(
    rows: Sequence[dict[str, Any]], *, model: str, checkpoint: str | None, tasks_sha256: str
) -> dict[str, Any]:
    """The content of results.json."""
    solved = wilson_interval(sum(row["solved"] for row in rows), len(rows))
    numbers = [key for key in rows[0] if key not in ("task", "seed", "solved")]
    return {
        "num_tasks": len(rows),
        "model": model,
        "solved": {"rate": solved.estimate, "low": solved.low, "high": solved.high},
        "median": {key: float(np.median([row[key] for row in rows])) for key in numbers},
        "checkpoint_sha256": checkpoint,
        "tasks_sha256": tasks_sha256,
        "tasks": list(rows),
    }


def _lines(report: dict[str, Any]) -> list[str]:
    median = report["median"]
    rate, low, high = (100 * report["solved"][key] for key in ("rate", "low", "high"))
    lines = [
        f"{report['num_tasks']} tasks ({report['tasks_sha256'][:12]}), Wilson 95 % interval",
        f"  solved at the end       {rate:.1f} % [{low:.1f}, {high:.1f}]",
        f"  median image distance   {100 * median['final']:.1f} % of the start's",
        f"  median reward           {median['reward']:.2f}",
    ]
    if "block_px" in median:
        lines.append(f"  median pose error       {median['block_px']:.1f} px, {median['block_degrees']:.1f} degrees")
        lines.append(f"  median coverage         {100 * median['coverage']:.0f} %")
    return lines


def _id(env: GymConfig) -> str:
    return f" env.id={env.id}" if env.name == "gym" else ""


def _write_clip(path: Path, tasks: GymTasks, trajectory: Trajectory, seconds: float, *, most: int = 6) -> None:
    """A GIF with a row per task: the goal, what happened, and what was imagined of the actions chosen."""
    happened = trajectory.frames[:most]
    assert trajectory.imagined is not None
    shown = np.repeat(tasks.goal_image[: len(happened), None], happened.shape[1], axis=1)
    imagined = np.concatenate([happened[:, :1], trajectory.imagined[:most]], axis=1)
    write_gif(path, grid([("goal", shown), ("happened", happened), ("imagined", imagined)], scale=3), seconds)
