"""Closed-loop episodes with a line per task, a summary and a video: what the command `plan` runs."""

from __future__ import annotations

import sys
from typing import Any, TypeAlias

import numpy as np

from envs import Tasks
from vfplan.control.loop import Trajectory
from vfplan.control.outcome import SOME_FAILED, FailedTask, Report, TaskResult, task_results
from vfplan.control.recording import Recording
from vfplan.control.rerun_view import FILE, RerunView
from vfplan.control.session import ClosedLoop, groups
from vfplan.control.settings import PlanConfig
from vfplan.device import set_threads
from vfplan.errors import UserError
from vfplan.extras import require_extra
from vfplan.output.folder import RunDir
from vfplan.output.mp4 import mp4_bytes
from vfplan.output.progress import Bar
from vfplan.output.video import gif_bytes, grid, webp_bytes

Loop: TypeAlias = ClosedLoop[Tasks[Any]]

ENCODED = {"gif": gif_bytes, "webp": webp_bytes, "mp4": mp4_bytes}


def run(config: PlanConfig) -> None:
    """Run the tasks that have not been run, print a line per task and a summary, write the run folder.

    Exits with code SOME_FAILED if an environment raised.
    """
    set_threads(config.threads)
    if config.video == "mp4":
        require_extra("video=mp4", "video", "av")
    if config.viz == "rerun":
        require_extra("viz=rerun", "rerun", "rerun")
    folder = RunDir(config.run_dir, config)
    loop: Loop = ClosedLoop(config)
    recording = Recording(folder.path / "episodes", loop.about)
    recording.check()
    folder.file("episodes").mkdir(exist_ok=True)
    print(f"episodes are kept as they end; after a stop the same command goes on with run_dir={folder.path}")
    results: list[TaskResult | FailedTask] = []
    first_alarms: list[int | None] = []
    view = RerunView(folder.path.name, loop.description["step_seconds"]) if config.viz == "rerun" else None
    with Bar(total=len(loop.tasks) * config.control.steps, unit="action") as bar:
        for group in groups(len(loop.tasks), config.lockstep):
            shown = config.gif and group.start == 0
            trajectory = _run_or_read(loop, recording, group, bar, imagine=shown or bool(view), record=config.record)
            if shown:
                folder.write_bytes(f"episodes.{config.video}", _clip(loop, group, trajectory, config.video))
            if view:
                _add(view, loop, recording, group, trajectory)
            results += task_results(loop.tasks.select(group), trajectory, first=group.start)
            first_alarms += trajectory.surprise.first_alarms() if trajectory.surprise else []
            for result in results[group.start :]:
                bar.write(result.line())
    report = _report(loop, results)
    alarms = {"first_alarms": first_alarms} if loop.calibration else {}
    folder.write_json("results.json", {**report.to_json(), **alarms})
    print("\n".join(report.lines()))
    written = ["results.json", "config.json", *([f"episodes.{config.video}"] if config.gif else [])]
    if view:
        written.append(folder.write_bytes(FILE, view.content()).name)
    print(f"wrote {', '.join(str(folder.path / name) for name in written)}")
    if report.rejected == report.plans:
        raise UserError(f"none of {report.plans} plans had a finite cost: the model or the cost gives no numbers")
    if report.failed:
        sys.exit(SOME_FAILED)
    print(f"next: {_next(loop)}")


def _run_or_read(
    loop: Loop, recording: Recording, group: range, bar: Bar, *, imagine: bool, record: bool
) -> Trajectory:
    """What happened to a group, now or before; one in which an environment raised is run again."""
    found = recording.read(group)
    if (
        found is not None
        and not found.failures
        and (found.imagined is not None or not imagine)
        and (recording.has_searches(group) or not record)
    ):
        bar.update(len(group) * loop.config.control.steps)
        return found
    happened = loop.run(group, imagine=imagine, record=record, progress=bar.update)
    recording.write(group, happened)
    return happened


def _report(loop: Loop, results: list[TaskResult | FailedTask]) -> Report:
    done = [result for result in results if isinstance(result, TaskResult)]
    failed = [result for result in results if isinstance(result, FailedTask)]
    if not done:
        raise UserError(f"all of {len(failed)} tasks failed; {failed[0].line()}")
    summary = loop.tasks.summary([result.outcome for result in done])
    return Report(done, summary, loop.chosen.name, loop.checkpoint_sha256, loop.tasks.sha256, failed)


def _next(loop: Loop) -> str:
    if loop.world.has_state:
        return f"python -m vfplan.benchmark {loop.world.arguments}  # beside baselines and the simulator as the model"
    return f"python -m vfplan.collect {loop.world.arguments}  # data to train a model on"


def _add(view: RerunView, loop: Loop, recording: Recording, group: range, trajectory: Trajectory) -> None:
    goals = loop.tasks.select(group).goals(hand=loop.config.goal_hand)
    every = loop.config.control.replan_every
    view.add(group.start, goals, trajectory, recording.searches(group), replan_every=every)


def _clip(loop: Loop, group: range, trajectory: Trajectory, kind: str, *, most: int = 6) -> bytes:
    """A video with a row per task: the goal, what happened, and what was imagined of the actions chosen."""
    goals = loop.tasks.select(group[:most]).goals(hand=loop.config.goal_hand)
    shown = np.repeat(goals[:, None], trajectory.frames.shape[1], axis=1)
    happened = trajectory.frames[: len(goals)]
    assert trajectory.imagined is not None
    imagined = np.concatenate([happened[:, :1], trajectory.imagined[: len(goals)]], axis=1)
    columns = [("goal", shown), ("happened", happened), ("imagined", imagined)]
    return ENCODED[kind](grid(columns, scale=3), loop.description["step_seconds"])
