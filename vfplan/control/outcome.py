"""What a closed-loop evaluation reports: per task, and over all tasks with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from envs.base import Outcome, Share, Summary, Tasks
from vfplan.control.loop import Trajectory
from vfplan.statistics import Interval, wilson_interval


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
class Report:
    """All episodes of an evaluation."""

    results: Sequence[TaskResult]
    summary: Summary
    model: str
    checkpoint_sha256: str | None
    tasks_sha256: str

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
            "tasks": [result.row() for result in self.results],
        }

    def lines(self) -> list[str]:
        """What is printed in the end."""
        values = {share.called: _percent(_rate(share)) for share in self.summary.shares}
        values |= {**self.summary.lines, "seconds per plan": f"{self.seconds_per_plan:.2f}"}
        if self.rejected:
            values["without a finite cost"] = f"{self.rejected} of {self.plans} plans, which stood still"
        head = f"{len(self.results)} tasks ({self.tasks_sha256[:12]}), Wilson 95 % intervals"
        return [head, *(f"  {called:<22}  {value}" for called, value in values.items())]


def task_results(tasks: Tasks[Any], trajectory: Trajectory, *, first: int = 0) -> list[TaskResult]:
    """The results of E tasks run in lockstep; `first` is the index of the first of them in its set."""
    outcomes = tasks.outcomes(trajectory.frames, trajectory.infos)
    per_plan = float(np.mean(trajectory.plan_seconds)) / len(tasks)
    assert trajectory.plan_costs is not None
    plans, rejected = len(trajectory.plan_costs), (~np.isfinite(trajectory.plan_costs)).sum(axis=0).tolist()
    return [
        TaskResult(first + index, outcome, per_plan, plans, lost)
        for index, (outcome, lost) in enumerate(zip(outcomes, rejected, strict=True))
    ]


def _rate(share: Share) -> Interval:
    return wilson_interval(sum(share.tasks), len(share.tasks))


def _as_json(rate: Interval) -> dict[str, float]:
    return {"rate": rate.estimate, "low": rate.low, "high": rate.high}


def _percent(rate: Interval) -> str:
    return f"{100 * rate.estimate:.1f} % [{100 * rate.low:.1f}, {100 * rate.high:.1f}]"
