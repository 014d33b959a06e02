"""Independent units of work as jobs of somebody else's scheduler, which starts them when and where it likes."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from vfplan.errors import UserError
from vfplan.execution.executor import MAX_DEATHS, Work, attempted
from vfplan.execution.interrupts import sigterm_unwinds
from vfplan.plugins import load_plugins

J = TypeVar("J")

SECONDS_BETWEEN_COUNTS = 0.5

Ending = tuple[str, Any, int]
"""("done", result, reports), ("failed", exception to be raised, 0), or ("died", why, 0)."""


class Scheduler(Protocol[J]):
    """Starts jobs, one for a unit, and knows what became of them. Jobs must be hashable."""

    def submit(self, unit: int) -> J:
        """Ask for a unit to be run."""

    def ended(self, jobs: Sequence[J]) -> list[J]:
        """Those of the jobs that ended; waits up to about a second for one that does."""

    def ending(self, job: J) -> Ending:
        """How a job ended."""

    def counts(self, jobs: Sequence[J]) -> list[int | None]:
        """How often each has reported, as far as is known; None for one that waits for its turn."""

    def cancel(self, job: J) -> None:
        """End a job, or let it never begin."""


@dataclass
class _Known:
    """What is known of a job that is under way."""

    unit: int
    count: int = 0
    heard: float | None = None
    """When it last was seen to go on; None before it has begun."""


def run_jobs(
    scheduler: Scheduler[J],
    units: Sequence[int],
    num_workers: int,
    on_progress: Callable[[int], Any],
    *,
    patience: float,
) -> Iterator[Any]:
    """Run units as jobs, at most `num_workers` at a time, as `Executor` says; yield the results as they come.

    A unit whose job died is submitted again, up to MAX_DEATHS times. However this ends, jobs under way are cancelled.
    """
    waiting, deaths = list(reversed(units)), Counter[int]()
    known: dict[J, _Known] = {}
    try:
        with sigterm_unwinds():
            while waiting or known:
                while waiting and len(known) < num_workers:
                    unit = waiting.pop()
                    known[scheduler.submit(unit)] = _Known(unit)
                for job in scheduler.ended(list(known)):
                    kind, value, count = scheduler.ending(job)
                    ended = known.pop(job)
                    on_progress(count - ended.count)
                    if kind == "failed":
                        raise value
                    if kind == "done":
                        yield value
                    else:
                        _count_death(deaths, ended.unit, value)
                        waiting.append(ended.unit)
                _update(known, scheduler.counts(list(known)), on_progress)
                for job, ended in _silent(known, patience):
                    scheduler.cancel(job)
                    del known[job]
                    on_progress(-ended.count)
                    _count_death(deaths, ended.unit, f"gave no sign for {patience:g} s")
                    waiting.append(ended.unit)
    finally:
        for job in known:
            scheduler.cancel(job)


def serve(work: Work[Any], unit: int, send: Callable[[int], object]) -> Ending:
    """Do a unit in a job; `send` is given how often it has reported: first 0, then now and then."""
    load_plugins()
    report = _Throttled(send)
    kind, value = attempted(work, unit, report)
    return kind, value, report.count if kind == "done" else 0


class _Throttled:
    """Counts its calls, and sends the count on when the last time is long enough ago."""

    def __init__(self, send: Callable[[int], object]) -> None:
        self.send, self.count, self.sent = send, 0, time.monotonic()
        send(0)

    def __call__(self) -> None:
        self.count += 1
        if time.monotonic() - self.sent >= SECONDS_BETWEEN_COUNTS:
            self.sent = time.monotonic()
            self.send(self.count)


def _count_death(deaths: Counter[int], unit: int, why: str) -> None:
    deaths[unit] += 1
    if deaths[unit] > MAX_DEATHS:
        raise UserError(f"unit {unit} ended early {deaths[unit]} times, the last time: {why}")


def _update(known: dict[J, _Known], counts: Sequence[int | None], on_progress: Callable[[int], Any]) -> None:
    for each, count in zip(known.values(), counts, strict=True):
        if count is not None and (each.heard is None or count != each.count):
            on_progress(count - each.count)
            each.count, each.heard = count, time.monotonic()


def _silent(known: dict[J, _Known], patience: float) -> list[tuple[J, _Known]]:
    """Jobs that began and were then not heard of for so long."""
    before = time.monotonic() - patience
    return [(job, each) for job, each in known.items() if patience and each.heard is not None and each.heard < before]
