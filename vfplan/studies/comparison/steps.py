"""The commands that make a row of the comparison, each in a process of its own and into a folder of its own."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vfplan.errors import UserError
from vfplan.output.folder import write_text
from vfplan.reading import read_object
from vfplan.studies.comparison.settings import CompareConfig, words

LEAST, MOST = 4, 10_000
"""Samples that a plan of equal time has."""

Samples = Callable[[Sequence[str]], tuple[int, int]]
"""From overrides of `vfplan.plan` to the samples and elites of its planner; ValueError for one that has none."""


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
    shared = (f"threads={config.threads}", f"device={config.device}", f"seed={config.seed}")
    checkpoint = f"checkpoint={folder / 'train' / 'checkpoint'}"
    trained, tested = words(config.train, "train"), words(config.evaluate, "evaluate")
    return [
        Step(folder / "train", "train", _into(folder / "train", given, trained, shared, [f"data={config.data}"]), ""),
        Step(
            folder / "evaluate",
            "evaluate",
            _into(folder / "evaluate", [checkpoint, f"data={config.heldout}"], tested, shared),
            "likelihood.json",
        ),
        Step(
            folder / "speed",
            "speed",
            _into(folder / "speed", [f"models=[{folder / 'train' / 'checkpoint'}]"], shared),
            "speed.json",
        ),
        planning(config, folder / "plan", []),
    ]


def planning(config: CompareConfig, folder: Path, more: Sequence[str]) -> Step:
    """Planning with the model of a row."""
    shared = (f"threads={config.threads}", f"device={config.device}", f"seed={config.seed}", "gif=false")
    checkpoint = f"checkpoint={folder.parent / 'train' / 'checkpoint'}"
    given = _into(folder, [checkpoint], words(config.plan, "plan"), shared, more)
    return Step(folder, "plan", given, "results.json")


def in_time(config: CompareConfig, folder: Path, samples_of: Samples) -> Step | None:
    """Planning with as many samples as `seconds` allow, by how long the first try took; None without such a try."""
    if not config.seconds:
        return None
    took = read_object(folder / "plan" / "results.json")["seconds_per_plan"]
    samples, elites = samples_of(words(config.plan, "plan"))
    fitting = min(max(LEAST, round(samples * config.seconds / took)), MOST)
    kept = max(2, round(elites * fitting / samples))
    return planning(config, folder / "in-time", [f"planner.samples={fitting}", f"planner.elites={kept}"])


def _into(folder: Path, *arguments: Sequence[str]) -> tuple[str, ...]:
    return (*(word for part in arguments for word in part), f"run_dir={folder}")
