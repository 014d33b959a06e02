"""What a closed-loop evaluation reports: per task, and over all tasks with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.tasks import TaskSet
from vfplan.control.loop import Trajectory
from vfplan.statistics import wilson_interval

SOLVED_CM = 5.0
"""The distance that the primary measure, success at the end, is judged by."""
THRESHOLDS_CM = (5, 3)


@dataclass(frozen=True)
class TaskResult:
    """One episode: distances of the target object from its goal, in cm."""

    task: int
    start_cm: float
    final_cm: float
    """At the end of the episode: what success is judged by."""
    closest_cm: float
    """Smallest distance after any action."""
    solved_5cm: bool
    solved_3cm: bool
    seconds_per_plan: float

    def line(self) -> str:
        """One printed line."""
        marks = ", ".join(
            f"{'within' if solved else 'not within'} {limit} cm"
            for limit, solved in zip(THRESHOLDS_CM, (self.solved_5cm, self.solved_3cm), strict=True)
        )
        return f"task {self.task:3d}: {self.start_cm:5.1f} cm from the goal -> {self.final_cm:5.1f} cm  ({marks})"


def task_results(tasks: TaskSet, trajectory: Trajectory, *, first: int = 0) -> list[TaskResult]:
    """The results of E tasks run in lockstep; `first` is the index of the first of them in its set."""
    rows, per_plan = [], float(np.mean(trajectory.plan_seconds)) / len(tasks)
    for index, distances in enumerate(distances_cm(tasks, trajectory)):
        start, final, closest = float(distances[0]), float(distances[-1]), float(distances[1:].min())
        within_5, within_3 = (final < limit for limit in THRESHOLDS_CM)
        rows.append(TaskResult(first + index, start, final, closest, within_5, within_3, per_plan))
    return rows


def distances_cm(tasks: TaskSet, trajectory: Trajectory) -> NDArray[np.float64]:
    """How far the target objects were from their goals, (E, T + 1) cm: at the start, and after each action."""
    rows = []
    for index, infos in enumerate(trajectory.infos):
        target = tasks.target[index]
        path = np.array([tasks.start_xy[index, target], *(info["object_xy"][target] for info in infos)])
        rows.append(100.0 * np.linalg.norm(path - tasks.goal_xy[index, target], axis=1))
    return np.stack(rows)


def summary(
    results: Sequence[TaskResult], *, checkpoint_sha256: str | None, tasks_sha256: str, model: str
) -> dict[str, Any]:
    """The content of results.json."""
    final = [result.final_cm for result in results]
    return {
        "num_tasks": len(results),
        "model": model,
        "solved_5cm": _rate([result.solved_5cm for result in results]),
        "solved_3cm": _rate([result.solved_3cm for result in results]),
        "reached_5cm_any_time": _rate([result.closest_cm < 5 for result in results]),
        "distance_cm": {
            "median": float(np.median(final)),
            "mean": float(np.mean(final)),
            "start_median": float(np.median([result.start_cm for result in results])),
        },
        "seconds_per_plan": float(np.mean([result.seconds_per_plan for result in results])),
        "checkpoint_sha256": checkpoint_sha256,
        "tasks_sha256": tasks_sha256,
        "tasks": [asdict(result) for result in results],
    }


def summary_lines(report: dict[str, Any]) -> list[str]:
    """The summary as printed."""

    def rate(name: str) -> str:
        row = report[name]
        return f"{100 * row['rate']:.1f} % [{100 * row['low']:.1f}, {100 * row['high']:.1f}]"

    distance = report["distance_cm"]
    return [
        f"{report['num_tasks']} tasks, Wilson 95 % intervals",
        f"  within 5 cm at the end  {rate('solved_5cm')}",
        f"  within 3 cm at the end  {rate('solved_3cm')}",
        f"  median distance         {distance['start_median']:.1f} cm -> {distance['median']:.1f} cm",
        f"  seconds per plan        {report['seconds_per_plan']:.2f}",
    ]


def _rate(solved: Sequence[bool]) -> dict[str, float]:
    interval = wilson_interval(sum(solved), len(solved))
    return {"rate": interval.estimate, "low": interval.low, "high": interval.high}
