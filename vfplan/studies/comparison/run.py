"""What the command `compare` runs: row by row what is missing, the table after each."""

from __future__ import annotations

from pathlib import Path

from vfplan.output.folder import RunDir
from vfplan.studies.comparison.settings import CompareConfig
from vfplan.studies.comparison.steps import Samples, Step, in_time, steps
from vfplan.studies.comparison.table import Row, table


def run(config: CompareConfig, samples_of: Samples) -> None:
    """Make every row that is not there yet, print and write the table. Raises UserError where a command fails."""
    folder, rows = RunDir(config.run_dir, config), []
    print(f"rows are kept as they end; after a stop the same command goes on with run_dir={folder.path}", flush=True)
    for name, given in config.named().items():
        rows.append(_row(name, config, folder.path / name, given, samples_of))
        folder.write_text("table.md", table(rows))
        print(f"{name}: {', '.join(rows[-1].cells(rows[0])[1:])}", flush=True)
    print(f"wrote {folder.path / 'table.md'}")


def _row(name: str, config: CompareConfig, folder: Path, given: list[str], samples_of: Samples) -> Row:
    for step in steps(config, folder, given):
        _do(step)
    again = in_time(config, folder, samples_of)
    if again is None:
        return Row.read(name, folder, 0)
    _do(again)
    samples = next(word.partition("=")[2] for word in again.arguments if word.startswith("planner.samples="))
    return Row.read(name, folder, int(samples))


def _do(step: Step) -> None:
    if not step.done:
        print(step.line, flush=True)
        step.run()
