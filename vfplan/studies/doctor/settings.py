"""What is looked at. No torch here: `python -m vfplan.doctor --help` reads it."""

from __future__ import annotations

from dataclasses import dataclass

from vfplan.checks import require_ranges, within


@dataclass(frozen=True)
class DoctorConfig:
    """Configuration of `vfplan.doctor`; the comments in `configs/doctor.yaml` say what each key is."""

    device: str = "auto"
    threads: int = within(0, 0, 1024)

    def __post_init__(self) -> None:
        require_ranges(self)
