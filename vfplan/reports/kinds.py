"""Which command left a folder, and what a report shows of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vfplan.output.page import Section
from vfplan.reports import audit, benchmark, episodes, likelihood, monitor, origin, search, training
from vfplan.reports.folder import RunFolder

Part = Callable[[RunFolder], Section | None]
"""A section, or None where there is nothing to show; raises UserError for what is damaged or missing."""


@dataclass(frozen=True)
class Kind:
    """What a command leaves."""

    command: str
    marks: tuple[str, ...]
    """Patterns of files, any of which tells such a run."""
    headline: Callable[[RunFolder], str]
    """The result in a few words; raises UserError as the parts do."""
    parts: tuple[Part, ...]


KINDS = (
    Kind("train", ("metrics.jsonl", "checkpoints"), training.headline, (training.curves, training.checkpoint)),
    Kind("evaluate", ("likelihood.json",), likelihood.headline, (likelihood.bits, likelihood.pictures)),
    Kind(
        "plan",
        ("results.json", "episodes/tasks-*.npz"),
        episodes.headline,
        (episodes.success, episodes.films, search.of_plan, episodes.surprise),
    ),
    Kind(
        "benchmark",
        ("benchmark.json", "episodes/*/row.json"),
        benchmark.headline,
        (benchmark.table, benchmark.pictures, search.of_rows),
    ),
    Kind(
        "monitor",
        ("surprise.json", "monitor.json", "episodes/*/tasks-*.npz"),
        monitor.headline,
        (monitor.detection, monitor.pictures, monitor.surprise),
    ),
    Kind("audit", ("audit.json",), audit.headline, (audit.ranking,)),
)
BEGUN = Kind("begun", ("provenance.json",), lambda run: "begun, nothing finished yet", ())
"""A run that was stopped before it left a result."""


def kinds_of(run: RunFolder) -> list[Kind]:
    """What is in a folder; empty if it is no run. The same folder may hold what several commands left."""
    found = [kind for kind in KINDS if any(map(run.has, kind.marks))]
    return found or [kind for kind in (BEGUN,) if any(map(run.has, kind.marks))]


LAST: tuple[Part, ...] = (origin.settings,)
"""Shown of every run."""
