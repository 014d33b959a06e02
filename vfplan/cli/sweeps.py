"""What became of the jobs of a sweep: `results.csv`, a row for each, in the folder above theirs."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from vfplan.output.folder import write_text


class SweepTable:
    """A row per job, written anew after each: its folder, what was chosen for it, and the numbers that it gave."""

    def __init__(self) -> None:
        self._rows: list[dict[str, object]] = []

    def add(self, run_dir: Path, overrides: Sequence[str], numbers: Mapping[str, float]) -> None:
        """Add the row of a job, and write the table."""
        chosen = {key: value for key, _, value in (override.partition("=") for override in overrides)}
        self._rows.append({**chosen, "run_dir": str(run_dir), **numbers})
        columns = dict.fromkeys(column for row in self._rows for column in row)
        text = io.StringIO()
        writer = csv.DictWriter(text, list(columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._rows)
        self.path = run_dir.parent / "results.csv"
        write_text(self.path, text.getvalue())

    def farewell(self) -> None:
        """Say where the table is."""
        if self._rows:
            print(f"wrote {self.path}: {len(self._rows)} jobs")
