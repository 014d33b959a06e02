"""`metrics.csv`, a line for each number: `step,name,value`."""

from __future__ import annotations

import csv
from collections.abc import Mapping

from vfplan.output.folder import RunDir


class CsvLogger:
    """Appends to `metrics.csv` in the folder of the run."""

    def __init__(self, run: RunDir) -> None:
        self._path = run.file("metrics.csv")
        if not self._path.exists():
            self._append([("step", "name", "value")])

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Append a line for each number."""
        self._append([(step, name, value) for name, value in values.items()])

    def close(self) -> None:
        """Nothing: every line is written at once."""

    def _append(self, lines: list[tuple[int | str, str, float | str]]) -> None:
        with self._path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(lines)
