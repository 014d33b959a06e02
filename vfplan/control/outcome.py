"""What a closed-loop evaluation reports: per task, and over all tasks with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from envs.base import Outcome, Share, Summary, Tasks
from vfplan.control.loop import Trajectory
from vfplan.statistics import Interval, wilson_interval

SOME_FAILED = 3
"""The exit code where some episodes failed and the others are reported."""


@dataclass(frozen=True)
class TaskResult:
    """One episode."""

    task: int
    outcome: Outcome
    seconds_per_plan: float
    plans: int
    rejected: int
    """Plans none of whose candidates had a finite cost; the task stood still instead."""

    def line(self) -> str:
        """What is printed of it."""
        return f"task {self.task:3d}: {self.outcome.line()}"

    def row(self) -> dict[str, Any]:
        """What results.json says of it."""
        about = {"seconds_per_plan": self.seconds_per_plan, "plans": self.plans, "rejected_plans": self.rejected}
        return {"task": self.task, **asdict(self.outcome), **about}


@dataclass(frozen=True)
class FailedTask:
    """An episode whose environment raised; nothing is concluded from it."""

    task: int
    step: int
    error: str

    def line(self) -> str:
        """What is printed of it."""
        return f"task {self.task:3d}: failed at action {self.step}: {self.error}"


@dataclass(frozen=True)
class Report:
    """All episodes of an evaluation."""

    results: Sequence[TaskResult]
    summary: Summary
    model: str
    checkpoint_sha256: str | None
    tasks_sha256: str
    failed: Sequence[FailedTask] = ()

    @property
    def seconds_per_plan(self) -> float:
        """Mean over all tasks."""
        return float(np.mean([result.seconds_per_plan for result in self.results]))

    @property
    def plans(self) -> int:
        """Of all tasks together."""
        return sum(result.plans for result in self.results)

    @property
    def rejected(self) -> int:
        """How many of them had no finite cost."""
        return sum(result.rejected for result in self.results)

    def to_json(self) -> dict[str, Any]:
        """The content of results.json."""
        return {
            "num_tasks": len(self.results),
            "model": self.model,
            **{share.key: _as_json(_rate(share)) for share in self.summary.shares},
            **self.summary.numbers,
            "seconds_per_plan": self.seconds_per_plan,
            "plans": self.plans,
            "rejected_plans": self.rejected,
            "checkpoint_sha256": self.checkpoint_sha256,
            "tasks_sha256": self.tasks_sha256,
            "failed_tasks": [asdict(task) for task in self.failed],
            "tasks": [result.row() for result in self.results],
        }

    def lines(self) -> list[str]:
        """What is printed in the end."""
        values = {share.called: _percent(_rate(share)) for share in self.summary.shares}
        values |= {**self.summary.lines, "seconds per plan": f"{self.seconds_per_plan:.3g}"}
        if self.rejected:
            values["without a finite cost"] = f"{self.rejected} of {self.plans} plans, which stood still"
        if self.failed:
            values["left out"] = f"{len(self.failed)} of {len(self.results) + len(self.failed)} tasks, which failed"
        head = f"{len(self.results)} tasks ({self.tasks_sha256[:12]}), Wilson 95 % intervals"
        return [head, *(f"  {called:<22}  {value}" for called, value in values.items())]


def task_results(tasks: Tasks[Any], trajectory: Trajectory, *, first: int = 0) -> list[TaskResult | FailedTask]:
    """What became of E tasks run in lockstep; `first` is the index of the first of them in its set."""
    per_plan = float(np.mean(trajectory.plan_seconds)) / len(tasks)
    assert trajectory.plan_costs is not None
    plans, rejected = len(trajectory.plan_costs), (~np.isfinite(trajectory.plan_costs)).sum(axis=0).tolist()
    found: dict[int, TaskResult | FailedTask] = {
        failure.episode: FailedTask(first + failure.episode, failure.step, failure.error)
        for failure in trajectory.failures
    }
    for index in trajectory.completed():
        frames, infos = trajectory.frames[index : index + 1], trajectory.infos[index : index + 1]
        (outcome,) = tasks.select(range(index, index + 1)).outcomes(frames, infos)
        found[index] = TaskResult(first + index, outcome, per_plan, plans, rejected[index])
    return [found[index] for index in sorted(found)]


def _rate(share: Share) -> Interval:
    return wilson_interval(sum(share.tasks), len(share.tasks))


def _as_json(rate: Interval) -> dict[str, float]:
    return {"rate": rate.estimate, "low": rate.low, "high": rate.high}


def _percent(rate: Interval) -> str:
    return f"{100 * rate.estimate:.1f} % [{100 * rate.low:.1f}, {100 * rate.high:.1f}]"
