"""Closed-loop episodes with a line per task, a summary and a GIF: what the command `plan` runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tqdm import tqdm

from vfplan.control.loop import Trajectory
from vfplan.control.outcome import TaskResult, summary, summary_lines, task_results
from vfplan.control.session import ClosedLoop, groups
from vfplan.control.settings import PlanConfig
from vfplan.device import set_threads
from vfplan.output.folder import RunDir
from vfplan.output.video import grid, write_gif


def run(config: PlanConfig) -> None:
    """Run the tasks, print a line per task and a summary, write the run folder."""
    set_threads(config.threads)
    folder = RunDir(config.run_dir, config)
    loop = ClosedLoop(config)
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
    report = summary(
        results, checkpoint_sha256=loop.checkpoint_sha256, tasks_sha256=loop.tasks.sha256, model=config.model
    )
    if loop.calibration:
        report["first_alarms"] = first_alarms
    folder.write_json("results.json", report)
    print("\n".join(summary_lines(report)))
    written = ["results.json", "config.json"]
    if clip is not None:
        _write_clip(folder.file("episodes.gif"), loop, *clip)
        written.append("episodes.gif")
    print(f"wrote {', '.join(str(folder.path / name) for name in written)}")
    print(f"next: python -m vfplan.benchmark env={config.env.name}  # beside baselines and the simulator as the model")


def _write_clip(path: Path, loop: ClosedLoop, group: range, trajectory: Trajectory, *, most: int = 6) -> None:
    """A GIF with a row per task: the goal, what happened, and what was imagined of the actions chosen."""
    goals = loop.goal_images(loop.tasks.select(group[:most]))
    shown = np.repeat(goals[:, None], trajectory.frames.shape[1], axis=1)
    happened = trajectory.frames[: len(goals)]
    assert trajectory.imagined is not None
    imagined = np.concatenate([happened[:, :1], trajectory.imagined[: len(goals)]], axis=1)
    columns = [("goal", shown), ("happened", happened), ("imagined", imagined)]
    write_gif(path, grid(columns, scale=3), loop.env.step_seconds)
