"""The finished rows side by side, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vfplan.reading import read_object
from vfplan.statistics import mcnemar

ABSENT = "-"
HORIZONS = (1, 5, 10)
HEADER = (
    *("model", "parameters", "trained, min", "bits / dim", "importance-weighted", "bound", "shuffled actions"),
    *("error at 1, 5, 10", "PSNR best, mean, T=0", "SSIM best, mean, T=0", "frames/s, full", "frames/s, smallest"),
    *("within 5 cm", "better : worse", "p", "s / plan", "within 5 cm in time", "samples"),
)


@dataclass(frozen=True)
class Row:
    """What was left by the commands of one row."""

    name: str
    trained: Mapping[str, Any]
    evaluated: Mapping[str, Any]
    speeds: Sequence[Mapping[str, Any]]
    planned: Mapping[str, Any]
    in_time: Mapping[str, Any]
    samples: int

    @classmethod
    def read(cls, name: str, folder: Path, samples: int) -> Row:
        """Read the results of a finished row, whose plans in time have so many samples; 0 for none."""
        return cls(
            name,
            read_object(folder / "train" / "checkpoint" / "config.json")["training"],
            read_object(folder / "evaluate" / "likelihood.json"),
            read_object(folder / "speed" / "speed.json")["rows"],
            read_object(folder / "plan" / "results.json"),
            read_object(folder / "in-time" / "results.json") if samples else {},
            samples,
        )

    @property
    def solved(self) -> dict[int, bool]:
        """Whether each task was solved."""
        return {task["task"]: task["solved_5cm"] for task in self.planned["tasks"]}

    def cells(self, reference: Row) -> tuple[str, ...]:
        """The line of the table, compared with `reference`."""
        full, small = self.speeds[0], self.speeds[-1]
        return (
            self.name,
            f"{full['parameters'] / 1e6:.2f} M",
            f"{self.trained['seconds'] / 60:.0f}",
            *self._bits(),
            self._errors(),
            *(self._similarity(metric, digits) for metric, digits in (("psnr", 2), ("ssim", 4))),
            f"{full['frames_per_second']:,.0f}",
            f"{small['frames_per_second']:,.0f} ({full['image_size'] // small['downscale']} px)",
            _rate(self.planned),
            *_against(self.solved, reference.solved, self is reference),
            f"{self.planned['seconds_per_plan']:.2f}",
            *((_rate(self.in_time), str(self.samples)) if self.in_time else (ABSENT, ABSENT)),
        )

    def _bits(self) -> tuple[str, ...]:
        found = self.evaluated
        if "bits_per_dim" not in found:
            return (ABSENT,) * 4
        shuffled = found.get("bits_per_dim_shuffled_actions")
        return (
            _estimate(found["bits_per_dim"]),
            ABSENT if found["bound"] == "exact" else _estimate(found["bits_per_dim_importance"]),
            found["bound"],
            _estimate(shuffled) if shuffled else ABSENT,
        )

    def _errors(self) -> str:
        errors = self.evaluated.get("rollout_error_relative_to_copying", [])
        return ", ".join(f"{errors[step - 1]:.3f}" for step in HORIZONS if step <= len(errors)) or ABSENT

    def _similarity(self, metric: str, digits: int) -> str:
        found = self.evaluated["sections"]["rollouts"]
        kinds = ("best_of_samples", "mean_of_samples", "expected")
        if any(metric not in found.get(kind, {}) for kind in kinds):
            return ABSENT
        return ", ".join(f"{found[kind][metric]['mean']:.{digits}f}" for kind in kinds)


def table(rows: Sequence[Row]) -> str:
    """All rows; the first is what the others are compared with."""
    grid = [HEADER, ("---",) * len(HEADER), *(row.cells(rows[0]) for row in rows)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in grid)


def _estimate(value: Mapping[str, float]) -> str:
    return f"{value['mean']:.4f} [{value['low']:.4f}, {value['high']:.4f}]"


def _rate(results: Mapping[str, Any]) -> str:
    rate = results["solved_5cm"]
    return f"{100 * rate['rate']:.1f} % [{100 * rate['low']:.1f}, {100 * rate['high']:.1f}]"


def _against(solved: Mapping[int, bool], other: Mapping[int, bool], same: bool) -> tuple[str, str]:
    """Tasks that only one of the two solves, and the exact p-value of McNemar."""
    if same:
        return "reference", ABSENT
    both = solved.keys() & other.keys()
    better = sum(solved[task] and not other[task] for task in both)
    worse = sum(other[task] and not solved[task] for task in both)
    return f"{better} : {worse}", f"{mcnemar(better, worse):.2g}"
