"""Runs what is missing of every row, group by group, and writes tables and pictures."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from vfplan.control.outcome import SOME_FAILED
from vfplan.control.searches import Searches
from vfplan.control.session import groups
from vfplan.device import set_threads
from vfplan.errors import UserError
from vfplan.execution.executor import Report, executor_named
from vfplan.output.folder import RunDir, git_commit, provenance
from vfplan.output.progress import Bar
from vfplan.studies.benchmark.episodes import Episode, RowFolder, episodes
from vfplan.studies.benchmark.plots import pictures
from vfplan.studies.benchmark.report import RowReport, row_reports
from vfplan.studies.benchmark.rows import BASELINES, SIMULATOR_IMAGE, Configure, Row, rows
from vfplan.studies.benchmark.settings import BenchmarkConfig
from vfplan.studies.benchmark.tables import markdown_table, notes, text_table

Done: TypeAlias = tuple[list[Episode], Searches | None]
"""What became of a group of tasks, and what a planner looked at if that is asked for."""


def run(config: BenchmarkConfig, configure: Configure) -> None:
    """Run what is missing of all rows; write and print the tables.

    Every mistake that can be known is reported before the first episode.
    """
    set_threads(config.threads)
    folder = RunDir(config.run_dir, config)
    made = rows(config, configure)
    reference = _reference(config, made)
    stores = {row.name: RowFolder(folder.path / "episodes" / row.name, row.about) for row in made}
    for store in stores.values():
        store.check()
    tasks = made[0].loop.tasks
    # All rows of a group before the next group, so that pairs are complete early.
    missing = [
        (group, row)
        for group in groups(len(tasks), config.lockstep)
        for row in made
        if not stores[row.name].has(group, searches=config.record and row.plans)
    ]
    folder.file("episodes").mkdir(exist_ok=True)
    print(f"episodes are kept as they end; after a stop the same command goes on with run_dir={folder.path}")
    _run_missing(missing, stores, config, configure)
    found = {row.name: [stores[row.name].read(task) for task in range(len(tasks))] for row in made}
    facts = {row.name: {"reads_simulator": row.reads_simulator, "overrides": row.overrides} for row in made}
    failed = {
        episode.task: f"{name}, task {episode.task}, {episode.error}"
        for name, row in found.items()
        for episode in row
        if episode.error
    }
    found = {name: [episode for episode in row if episode.task not in failed] for name, row in found.items()}
    try:
        reports = row_reports(found, facts, reference=reference, ceiling=SIMULATOR_IMAGE, seed=config.seed)
    except ValueError as error:
        raise UserError(f"{config.env.name} {config.tasks}: {error}") from error
    _write(folder, config, made, reports, reference)
    if failed:
        print("left out of all rows, for they failed in one:", *failed.values(), sep="\n  ")
        sys.exit(SOME_FAILED)


def _run_missing(
    missing: list[tuple[range, Row]], stores: dict[str, RowFolder], config: BenchmarkConfig, configure: Configure
) -> None:
    """Run groups of rows, here or on worker processes, and write the episodes of each as they come."""
    commit = git_commit()
    run_units = executor_named(config.chosen_executor, Path(config.run_dir) / "jobs")
    with Bar(total=config.steps * sum(len(group) for group, _ in missing), unit="action") as bar:
        if config.chosen_executor == "serial":
            for group, row in missing:
                bar.set_postfix_str(f"{row.name}, tasks {group[0]} to {group[-1]}")
                stores[row.name].write(*_run_group(row, group, config.record, commit, bar.update))
            return
        work = _Work(config, configure, [(group, row.name) for group, row in missing], commit)
        count, patience = config.workers or os.cpu_count() or 1, config.unit_seconds
        for name, found in run_units(work, range(len(missing)), count, bar.update, patience=patience):
            stores[name].write(*found)


@dataclass
class _Work:
    """The groups of rows that are missing, as units for worker processes, each of which makes the rows for itself."""

    config: BenchmarkConfig
    configure: Configure
    missing: list[tuple[range, str]]
    commit: str | None

    @cached_property
    def rows(self) -> dict[str, Row]:
        """The rows by name, made by the first unit of a process."""
        return {row.name: row for row in rows(self.config, self.configure)}

    def __call__(self, unit: int, report: Report) -> tuple[str, Done]:
        """The name of the row of a unit, and what became of its group."""
        group, name = self.missing[unit]

        def progress(actions: int) -> None:
            for _ in range(actions):
                report()

        return name, _run_group(self.rows[name], group, self.config.record, self.commit, progress)


def _run_group(row: Row, group: range, record: bool, commit: str | None, progress: Callable[[int], Any]) -> Done:
    trajectory = row.loop.run(group, record=record and row.plans, progress=progress)
    found = episodes(group, row.loop.tasks, trajectory, replan_every=row.replan_every, commit=commit)
    return found, trajectory.searches


def _reference(config: BenchmarkConfig, made: list[Row]) -> str:
    """The name of the row that the others are compared with."""
    names = [row.name for row in made]
    if config.reference and config.reference not in names:
        raise UserError(f"reference must be one of the rows {', '.join(names)}; got {config.reference!r}")
    return config.reference or next(name for name in names if name not in BASELINES)


def _write(folder: RunDir, config: BenchmarkConfig, made: list[Row], reports: list[RowReport], reference: str) -> None:
    """benchmark.json, table.txt, table.md and the pictures; the text is printed."""
    command = shlex.join(["python", "-m", "vfplan.benchmark", *provenance()["command"][1:]])
    sha256 = made[0].loop.tasks.sha256
    title = f"{config.env.name}, {config.tasks} tasks ({sha256[:12]}), {config.steps} actions, seed {config.seed}"
    about = notes(reports, reference=reference)
    table = "\n".join([command, "", title, *about, "", *text_table(reports), ""])
    marked = [f"### {title}", "", f"`{command}`", "", " ".join(about).replace("* reads", r"\* reads"), ""]
    summary: dict[str, Any] = {
        "command": command,
        "env": config.env.name,
        "tasks_sha256": sha256,
        "reference": reference,
        "rows": [{**asdict(report), "about": row.about} for report, row in zip(reports, made, strict=True)],
    }
    written = [
        folder.write_json("benchmark.json", summary),
        folder.write_text("table.txt", table),
        folder.write_text("table.md", "\n".join([*marked, *markdown_table(reports, reference=reference), ""])),
        *(folder.write_bytes(name, picture) for name, picture in pictures(reports).items()),
    ]
    print(table)
    print(f"wrote {', '.join(map(str, written))}")
    print(f"next: the same with run_dir={folder.path} and a further row: 'rows={{NAME: \"cost=pixel\"}}'")
