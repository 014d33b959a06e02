"""The commands that make a row of the comparison, each in a process of its own and into a folder of its own."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vfplan.errors import UserError
from vfplan.output.folder import write_text
from vfplan.reading import read_object
from vfplan.studies.comparison.settings import CompareConfig

LEAST, MOST = 4, 10_000
"""Samples that a plan of equal time has."""

Configure = Callable[[Sequence[str]], Any]
"""From overrides of a command to its settings. Raises UserError."""


@dataclass(frozen=True)
class Step:
    """One command of a row."""

    folder: Path
    command: str
    arguments: tuple[str, ...]
    left: str
    """The file in the folder that says that it is done; empty for a command that knows it itself."""

    @property
    def done(self) -> bool:
        """Whether there is nothing left to do. Raises UserError if what there is was made by another command."""
        if not self.left or not (self.folder / self.left).is_file():
            return False
        made = self._said.read_text().strip() if self._said.is_file() else "another command"
        if made != self.line:
            raise UserError(f"{self.folder} was made by {made}, this is {self.line}; give another run_dir")
        return True

    @property
    def line(self) -> str:
        """The command as a user types it."""
        return shlex.join(["python", "-m", f"vfplan.{self.command}", *self.arguments])

    @property
    def _said(self) -> Path:
        return self.folder.with_suffix(".command")

    def run(self) -> None:
        """Run it, its output in a file beside the folder. Raises UserError where it fails."""
        write_text(self._said, f"{self.line}\n")
        log = self.folder.with_suffix(".log")
        with log.open("a") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", f"vfplan.{self.command}", *self.arguments], stdout=out, stderr=subprocess.STDOUT
            )
            try:
                code = process.wait()
            finally:
                process.terminate()
                process.wait()
        if code:
            last = log.read_text().strip().splitlines()[-1:] or ["nothing was said"]
            raise UserError(f"{self.line} ended with code {code}: {last[0]} (all of it in {log})")


def steps(config: CompareConfig, folder: Path, given: Sequence[str]) -> list[Step]:
    """What makes the row in `folder`, whose model is trained with the overrides `given`; all but the plans in time."""
    trained, tested, timed = folder / "train", folder / "evaluate", folder / "speed"
    checkpoint = trained / "checkpoint"
    data, heldout = [f"data={config.data}"], [f"checkpoint={checkpoint}", f"data={config.heldout}"]
    return [
        _step(config, trained, "train", [*given, *config.words("train"), *data], ""),
        _step(config, tested, "evaluate", [*heldout, *config.words("evaluate")], "likelihood.json"),
        _step(config, timed, "speed", [f"models=[{checkpoint}]"], "speed.json"),
        _planning(config, folder / "plan", []),
    ]


def samples_in_time(config: CompareConfig, folder: Path, planner: Any) -> tuple[int, int]:
    """Samples and elites of a plan that takes `seconds`, by how long the first try took with those of `planner`."""
    samples, elites = samples_of(planner)
    took = read_object(folder / "plan" / "results.json")["seconds_per_plan"]
    fitting = min(max(LEAST, round(samples * config.seconds / took)), MOST)
    return fitting, max(2, round(elites * fitting / samples))


def samples_of(planner: Any) -> tuple[int, int]:
    """How many samples and elites a planner has. Raises UserError for one that has none."""
    samples, elites = (getattr(planner, name, None) for name in ("samples", "elites"))
    if not isinstance(samples, int) or not isinstance(elites, int):
        raise UserError(f"seconds= needs a planner with samples and elites, such as icem or cem; got {planner}")
    return samples, elites


def in_time(config: CompareConfig, folder: Path, samples: int, elites: int) -> Step:
    """Planning with so many samples."""
    return _planning(config, folder / "in-time", [f"planner.samples={samples}", f"planner.elites={elites}"])


def _planning(config: CompareConfig, folder: Path, more: Sequence[str]) -> Step:
    checkpoint = f"checkpoint={folder.parent / 'train' / 'checkpoint'}"
    return _step(config, folder, "plan", [checkpoint, *config.words("plan"), "gif=false", *more], "results.json")


def _step(config: CompareConfig, folder: Path, command: str, given: Sequence[str], left: str) -> Step:
    shared = (f"threads={config.threads}", f"device={config.device}", f"seed={config.seed}", f"run_dir={folder}")
    return Step(folder, command, (*given, *shared), left)
