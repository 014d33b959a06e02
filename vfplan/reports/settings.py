"""What is reported. No torch here: `python -m vfplan.report --help` reads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ReportConfig:
    """Configuration of `vfplan.report`; the comments in `configs/report.yaml` say what each key is."""

    runs: tuple[str, ...] | str
    out: str = "report.html"

    def __post_init__(self) -> None:
        if not self.folders:
            raise ValueError("runs must name at least one folder of a run")
        if Path(self.out).suffix.lower() not in (".html", ".htm"):
            raise ValueError(f"out must be a file that ends in .html, got {self.out}")

    @property
    def folders(self) -> tuple[str, ...]:
        """Of the runs, each once."""
        return tuple(dict.fromkeys((self.runs,) if isinstance(self.runs, str) else self.runs))
