"""What the command `compare` runs: row by row what is missing, the table after each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from vfplan.data.mixture import Mixture
from vfplan.output.folder import RunDir
from vfplan.studies.comparison.settings import CompareConfig
from vfplan.studies.comparison.steps import Configure, Step, in_time, samples_in_time, samples_of, steps
from vfplan.studies.comparison.table import Row, table


def run(config: CompareConfig, commands: Mapping[str, Configure]) -> None:
    """Make every row that is not there yet, print and write the table.

    Every mistake that can be known is reported before the first model is trained.

    Args:
        config: what is compared.
        commands: what reads the overrides of each command that makes rows.

    Raises:
        UserError: for what a command would refuse, and where one fails.
    """
    folder, rows = RunDir(config.run_dir, config), []
    planned = {name: steps(config, folder.path / name, given) for name, given in config.named().items()}
    Mixture.open([config.data, config.heldout], None, 0)
    for step in (step for made in planned.values() for step in made):
        commands[step.command](step.arguments)
    planner = commands["plan"](config.words("plan")).planner
    if config.seconds:
        samples_of(planner)
    print(f"rows are kept as they end; after a stop the same command goes on with run_dir={folder.path}", flush=True)
    for name, made in planned.items():
        _do(made)
        samples = _again(config, folder.path / name, planner) if config.seconds else 0
        rows.append(Row.read(name, folder.path / name, samples))
        folder.write_text("table.md", table(rows))
        print(f"{name}: {', '.join(rows[-1].cells(rows[0])[1:])}", flush=True)
    print(f"wrote {folder.path / 'table.md'}")


def _again(config: CompareConfig, folder: Path, planner: object) -> int:
    """Plan with as many samples as `seconds` allow, and say how many these are."""
    samples, elites = samples_in_time(config, folder, planner)
    _do([in_time(config, folder, samples, elites)])
    return samples


def _do(made: Sequence[Step]) -> None:
    for step in made:
        if not step.done:
            print(step.line, flush=True)
            step.run()
