"""The numbers of a comparison: each row by itself, against the reference, and against the simulator as model."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from envs.task_set import SOLVED_CM, THRESHOLDS_CM
from vfplan.statistics import holm, mcnemar, paired_ratio, wilson_interval
from vfplan.studies.benchmark.episodes import Episode


@dataclass(frozen=True)
class Rate:
    """How many of the episodes, with Wilson's 95 % interval."""

    count: int
    rate: float
    low: float
    high: float

    @classmethod
    def of(cls, outcomes: Sequence[bool]) -> Rate:
        """The rate of true outcomes."""
        interval = wilson_interval(sum(outcomes), len(outcomes))
        return cls(sum(outcomes), *interval)


@dataclass(frozen=True)
class Pair:
    """A row against another on the same tasks, success within 5 cm at the end."""

    both: int
    only_this: int
    only_other: int
    neither: int
    p: float
    """Exact McNemar, two-sided."""
    p_holm: float
    """The same, adjusted for the number of rows compared with this reference."""


@dataclass(frozen=True)
class RowReport:
    """A line of the table. Rates are over the tasks that were not solved at the start."""

    name: str
    reads_simulator: bool
    overrides: tuple[str, ...]
    num_tasks: int
    """Of those that count; `excluded` were within 5 cm at the start."""
    excluded: int
    end: dict[str, Rate]
    """Success at the end of the episode, by threshold ("5 cm")."""
    any_time: dict[str, Rate]
    """Success after any action: the smallest distance counts."""
    distance_cm: dict[str, float]
    """Median and mean at the end, median at the start."""
    seconds_per_plan: float | None
    """None where nothing is planned."""
    time_curve: dict[str, list[float]]
    """Planning seconds per episode so far, and share of tasks within 5 cm then, after each action; both mean."""
    final_cm: list[float]
    """Per task, sorted."""
    against: Pair | None
    """None for the reference itself."""
    ratio: dict[str, float | None] | None
    """Success at the end over that of the simulator as model; None for that row itself, bounds None where infinite."""
    commits: list[str]


def row_reports(
    rows: Mapping[str, Sequence[Episode]],
    facts: Mapping[str, Mapping[str, Any]],
    *,
    reference: str,
    ceiling: str,
    seed: int = 0,
) -> list[RowReport]:
    """A report per row, whose episodes are of the same tasks in the same order.

    `facts` has reads_simulator and overrides of each row. Raises ValueError if rows differ in their tasks, or if
    every task is solved at the start.
    """
    tasks = [episode.task for episode in next(iter(rows.values()))]
    for name, found in rows.items():
        if [episode.task for episode in found] != tasks:
            raise ValueError(f"row {name} has other tasks than the first row; rows are compared task by task")
    counted = {name: [e for e in found if e.distance_cm[0] >= SOLVED_CM] for name, found in rows.items()}
    if not counted[reference]:
        raise ValueError(f"all {len(tasks)} tasks are solved at the start")
    solved = {name: [e.distance_cm[-1] < SOLVED_CM for e in found] for name, found in counted.items()}
    pairs = _pairs(solved, reference)
    reports = []
    for name, found in counted.items():
        ratio = None
        if name != ceiling:
            interval = paired_ratio(solved[name], solved[ceiling], np.random.default_rng(seed))
            ratio = {key: value if math.isfinite(value) else None for key, value in asdict(interval).items()}
        excluded = len(tasks) - len(found)
        reports.append(_row_report(name, found, excluded, pairs.get(name), ratio, facts[name]))
    return reports


def _row_report(
    name: str,
    found: Sequence[Episode],
    excluded: int,
    pair: Pair | None,
    ratio: dict[str, float | None] | None,
    facts: Mapping[str, Any],
) -> RowReport:
    distances = np.array([episode.distance_cm for episode in found])
    final, closest = distances[:, -1], distances[:, 1:].min(axis=1)
    seconds = [s for episode in found for s in episode.plan_seconds]
    return RowReport(
        name=name,
        reads_simulator=facts["reads_simulator"],
        overrides=tuple(facts["overrides"]),
        num_tasks=len(found),
        excluded=excluded,
        end={f"{limit} cm": Rate.of((final < limit).tolist()) for limit in THRESHOLDS_CM},
        any_time={f"{limit} cm": Rate.of((closest < limit).tolist()) for limit in THRESHOLDS_CM},
        distance_cm={
            "median": float(np.median(final)),
            "mean": float(final.mean()),
            "start_median": float(np.median(distances[:, 0])),
        },
        seconds_per_plan=float(np.mean(seconds)) if seconds else None,
        time_curve={
            "seconds": np.mean([episode.seconds_spent for episode in found], axis=0).tolist(),
            "within_5cm": (distances[:, 1:] < SOLVED_CM).mean(axis=0).tolist(),
        },
        final_cm=sorted(final.tolist()),
        against=pair,
        ratio=ratio,
        commits=sorted({episode.commit or "unknown" for episode in found}),
    )


def _pairs(solved: Mapping[str, Sequence[bool]], reference: str) -> dict[str, Pair]:
    """Every row but the reference against it."""
    counts = {
        name: Counter(zip(outcomes, solved[reference], strict=True))
        for name, outcomes in solved.items()
        if name != reference
    }
    p_values = [mcnemar(count[True, False], count[False, True]) for count in counts.values()]
    return {
        name: Pair(
            both=count[True, True],
            only_this=count[True, False],
            only_other=count[False, True],
            neither=count[False, False],
            p=p,
            p_holm=adjusted,
        )
        for (name, count), p, adjusted in zip(counts.items(), p_values, holm(p_values), strict=True)
    }
