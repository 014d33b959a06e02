"""Closed-loop episodes with a line per task, a summary and a GIF: what the command `plan` runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from tqdm import tqdm

from envs import Tasks
from vfplan.control.loop import Trajectory
from vfplan.control.outcome import Report, TaskResult, task_results
from vfplan.control.session import ClosedLoop, groups
from vfplan.control.settings import PlanConfig
from vfplan.device import set_threads
from vfplan.errors import UserError
from vfplan.output.folder import RunDir
from vfplan.output.video import grid, write_gif

Loop: TypeAlias = ClosedLoop[Tasks[Any]]


def run(config: PlanConfig) -> None:
    """Run the tasks, print a line per task and a summary, write the run folder."""
    set_threads(config.threads)
    folder = RunDir(config.run_dir, config)
    loop: Loop = ClosedLoop(config)
    results: list[TaskResult] = []
    first_alarms: list[int | None] = []
    clip: tuple[range, Trajectory] | None = None
    with tqdm(total=len(loop.tasks) * config.control.steps, unit="action", mininterval=1.0) as bar:
        for group in groups(len(loop.tasks), config.lockstep):
            wanted = config.gif and clip is None
            trajectory = loop.run(group, imagine=wanted, progress=bar.update)
            results += task_results(loop.tasks.select(group), trajectory, first=group.start)
            first_alarms += trajectory.surprise.first_alarms() if trajectory.surprise else []
            if wanted:
                clip = (group, trajectory)
            for result in results[group.start :]:
                bar.write(result.line())
    report = _report(loop, results)
    alarms = {"first_alarms": first_alarms} if loop.calibration else {}
    folder.write_json("results.json", {**report.to_json(), **alarms})
    print("\n".join(report.lines()))
    written = ["results.json", "config.json"]
    if clip is not None:
        _write_clip(folder.file("episodes.gif"), loop, *clip)
        written.append("episodes.gif")
    print(f"wrote {', '.join(str(folder.path / name) for name in written)}")
    if report.rejected == report.plans:
        raise UserError(f"none of {report.plans} plans had a finite cost: the model or the cost gives no numbers")
    print(f"next: {_next(loop)}")


def _report(loop: Loop, results: list[TaskResult]) -> Report:
    summary = loop.tasks.summary([result.outcome for result in results])
    return Report(results, summary, loop.chosen.name, loop.checkpoint_sha256, loop.tasks.sha256)


def _next(loop: Loop) -> str:
    if loop.world.has_state:
        return f"python -m vfplan.benchmark {loop.world.arguments}  # beside baselines and the simulator as the model"
    return f"python -m vfplan.collect {loop.world.arguments}  # data to train a model on"


def _write_clip(path: Path, loop: Loop, group: range, trajectory: Trajectory, *, most: int = 6) -> None:
    """A GIF with a row per task: the goal, what happened, and what was imagined of the actions chosen."""
    goals = loop.tasks.select(group[:most]).goals(hand=loop.config.goal_hand)
    shown = np.repeat(goals[:, None], trajectory.frames.shape[1], axis=1)
    happened = trajectory.frames[: len(goals)]
    assert trajectory.imagined is not None
    imagined = np.concatenate([happened[:, :1], trajectory.imagined[: len(goals)]], axis=1)
    columns = [("goal", shown), ("happened", happened), ("imagined", imagined)]
    write_gif(path, grid(columns, scale=3), loop.description["step_seconds"])
