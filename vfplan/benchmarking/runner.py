"""Runs what is missing of every row, group by group, and writes tables and pictures."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch
from tqdm import tqdm

from vfplan.benchmarking.episodes import RowFolder, episodes
from vfplan.benchmarking.plots import pictures
from vfplan.benchmarking.report import RowReport, row_reports
from vfplan.benchmarking.rows import BASELINES, SIMULATOR_IMAGE, Configure, Row, rows
from vfplan.benchmarking.tables import markdown_table, notes, text_table
from vfplan.closed_loop import groups
from vfplan.errors import UserError
from vfplan.rundir import RunDir, git_commit, provenance

if TYPE_CHECKING:
    from vfplan.benchmark import BenchmarkConfig


def run(config: BenchmarkConfig, configure: Configure) -> None:
    """Run what is missing of all rows; write and print the tables.

    Every mistake that can be known is reported before the first episode.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    folder = RunDir(config.run_dir, config)
    names = (config.env,) if isinstance(config.env, str) else config.env
    compared = {env: rows(config, env, configure) for env in dict.fromkeys(names)}
    reference = _reference(config, next(iter(compared.values())))
    stores = {
        (env, row.name): RowFolder(folder.path / "episodes" / env / row.name, row.about)
        for env, made in compared.items()
        for row in made
    }
    for store in stores.values():
        store.check()
    folder.file("episodes").mkdir(exist_ok=True)
    print(f"episodes go to {folder.path}; stopped, the same command goes on there with run_dir={folder.path}")
    for env, made in compared.items():
        _run_missing(env, made, {row.name: stores[env, row.name] for row in made}, config)
    reports = {}
    for env, made in compared.items():
        found = {row.name: [stores[env, row.name].read(task) for task in range(len(row.loop.tasks))] for row in made}
        facts = {row.name: {"reads_simulator": row.reads_simulator, "overrides": row.overrides} for row in made}
        try:
            reports[env] = row_reports(found, facts, reference=reference, ceiling=SIMULATOR_IMAGE, seed=config.seed)
        except ValueError as error:
            raise UserError(f"{env}: {error}") from error
    _write(folder, config, compared, reports, reference)


def _run_missing(env: str, made: list[Row], stores: dict[str, RowFolder], config: BenchmarkConfig) -> None:
    """Run the groups that are not there yet: all rows of a group before the next, so that pairs are complete early."""
    commit = git_commit()
    tasks = made[0].loop.tasks
    with tqdm(total=len(made) * len(tasks) * config.steps, unit="action", mininterval=1.0, desc=env) as bar:
        for group in groups(len(tasks), config.lockstep):
            for row in made:
                bar.set_postfix_str(f"{row.name}, tasks {group[0]} to {group[-1]}")
                if stores[row.name].has(group):
                    bar.update(len(group) * config.steps)
                    continue
                trajectory = row.loop.run(group, progress=bar.update)
                stores[row.name].write(episodes(group, tasks, trajectory, replan_every=row.replan_every, commit=commit))


def _reference(config: BenchmarkConfig, made: list[Row]) -> str:
    """The name of the row that the others are compared with."""
    names = [row.name for row in made]
    if config.reference and config.reference not in names:
        raise UserError(f"reference must be one of the rows {', '.join(names)}; got {config.reference!r}")
    return config.reference or next(name for name in names if name not in BASELINES)


def _write(
    folder: RunDir,
    config: BenchmarkConfig,
    compared: dict[str, list[Row]],
    reports: dict[str, list[RowReport]],
    reference: str,
) -> None:
    """benchmark.json, table.txt, table.md and the pictures; the text is printed."""
    source = provenance()
    command = shlex.join(["python", "-m", "vfplan.benchmark", *source["command"][1:]])
    plain, marked = [command], [f"`{command}`"]
    written = ["benchmark.json", "table.txt", "table.md"]
    summary: dict[str, Any] = {"command": command, "reference": reference, "seed": config.seed, "environments": {}}
    for env, made in reports.items():
        sha256 = compared[env][0].loop.tasks.sha256
        title = f"{env}, {config.tasks} tasks ({sha256[:12]}), {config.steps} actions, seed {config.seed}"
        about = notes(made, reference=reference)
        plain += ["", title, *about, "", *text_table(made)]
        marked += ["", f"### {title}", "", " ".join(about).replace("* reads", r"\* reads"), ""]
        marked += markdown_table(made, reference=reference)
        rows_about = {row.name: row.about for row in compared[env]}
        summary["environments"][env] = {
            "tasks_sha256": sha256,
            "rows": [{**asdict(report), "about": rows_about[report.name]} for report in made],
        }
        for name, picture in pictures(made).items():
            file = f"{env}-{name}"
            folder.write_bytes(file, picture)
            written.append(file)
    folder.write_json("benchmark.json", summary)
    folder.write_text("table.txt", "\n".join(plain) + "\n")
    folder.write_text("table.md", "\n".join(marked) + "\n")
    print("\n".join(plain))
    print(f"wrote {', '.join(str(folder.path / name) for name in written)}")
    print(f"next: paste {folder.path / 'table.md'} into docs/control.md, or add a row: rows='{{NAME: \"cost=pixel\"}}'")
