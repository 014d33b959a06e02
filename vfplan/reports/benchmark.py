"""What `vfplan.benchmark` left: the table of rows, and its pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vfplan.errors import UserError, said
from vfplan.output.page import Cell, Section, Table
from vfplan.reports.folder import RunFolder, number, share

MOST_ROWS = 100
LIMITS = ("5 cm", "3 cm")
PICTURES = {
    "success.png": "Success at the end of the episode, with Wilson 95 % intervals.",
    "time.png": "Success against the planning time spent, and against the time of one plan.",
    "distance.png": "The share of tasks that end within each distance of the goal.",
}


def headline(run: RunFolder) -> str:
    """Success of the reference row."""
    summary = run.object("benchmark.json")
    for row in _rows(summary):
        if row.get("name") == summary.get("reference"):
            return f"{said(str(row['name']))} within 5 cm: {share(_of(row, 'end', '5 cm')).text}"
    return f"{len(_rows(summary))} rows"


def table(run: RunFolder) -> Section:
    """Success of every row on the same tasks."""
    summary = run.object("benchmark.json")
    rows = tuple(map(_cells, _rows(summary)[:MOST_ROWS]))
    header = ("row", *(f"within {limit} at the end" for limit in LIMITS), "median", "s/plan", "tasks")
    sentence = (
        f"{said(str(summary.get('env')))}, the same tasks for every row; Wilson 95 % intervals. The reference is "
        f"{said(str(summary.get('reference')))}; rows with * read the simulator's state."
    )
    compared = Table(header, rows, sentence)
    return Section("Comparison", "What is the planner worth beside others?", (compared,), run.command)


def pictures(run: RunFolder) -> Section | None:
    """The pictures of the comparison."""
    found = run.pictures(PICTURES)
    return Section("Pictures", "The same as pictures.", found, run.command) if found else None


def _cells(row: Mapping[str, Any]) -> tuple[Cell, ...]:
    seconds = row.get("seconds_per_plan")
    return (
        said(str(row.get("name"))) + (" *" if row.get("reads_simulator") is True else ""),
        *(share(_of(row, "end", limit)) for limit in LIMITS),
        f"{number(_of(row, 'distance_cm', 'median'))} cm",
        "-" if seconds is None else number(seconds),
        number(row.get("num_tasks")),
    )


def _rows(summary: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    rows = summary.get("rows")
    if not isinstance(rows, list):
        raise UserError("benchmark.json is damaged (rows is no list)")
    return [row for row in rows if isinstance(row, Mapping)]


def _of(row: Mapping[str, Any], *keys: str) -> Any:
    """What stands in a row under one key after the other. Raises UserError where nothing does."""
    value: Any = row
    for key in keys:
        if not isinstance(value, Mapping) or key not in value:
            raise UserError(f"benchmark.json is damaged (a row has no {'.'.join(keys)})")
        value = value[key]
    return value
