"""The planner's view: what it looked at for a lockstep group of episodes, and the file that keeps it.

R planning, J call to the score, E problem (episode), K kept candidate, T step, A action; y, x, C a thumbnail.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vfplan.output.arrays import read_arrays, write_arrays


@dataclass(frozen=True)
class Searches:
    """What was looked at for E problems at each of R plannings, all of it on the scale that plans are scored at.

    Raises ValueError for arrays that do not fit each other.
    """

    best: NDArray[np.float32]
    """(R, J, E) lowest cost of each call; inf where every candidate was rejected."""
    mean: NDArray[np.float32]
    """(R, J, E) over the candidates that were not rejected; inf where there was none."""
    rejected: NDArray[np.int64]
    """(R, J, E) candidates without a finite cost."""
    plans: NDArray[np.float32]
    """(R, E, K, T, A) of the last iteration: the cheapest, best first, and as the last the costliest not rejected."""
    costs: NDArray[np.float32]
    """(R, E, K)."""
    futures: NDArray[np.uint8]
    """(R, E, K, T, y, x, C) what the model expects of them, at temperature 0."""
    seen: NDArray[np.uint8]
    """(R, E, y, x, C) the newest frame."""
    goals: NDArray[np.uint8]
    """(R, E, y, x, C)."""

    def __post_init__(self) -> None:
        calls, kept = self.best.shape, self.plans.shape
        thumbnail = self.seen.shape[2:]
        problems = (calls[0], calls[2]) if len(calls) == 3 else None
        fits = (
            len(kept) == 5
            and len(thumbnail) == 3
            and kept[:2] == problems
            and all(size > 0 for size in (*calls, *kept, *thumbnail))
            and self.mean.shape == self.rejected.shape == calls
            and self.costs.shape == kept[:3]
            and self.futures.shape == (*kept[:4], *thumbnail)
            and self.seen.shape == self.goals.shape == (*kept[:2], *thumbnail)
            and {self.futures.dtype, self.seen.dtype, self.goals.dtype} == {np.dtype(np.uint8)}
        )
        if not fits:
            shapes = {field.name: getattr(self, field.name).shape for field in fields(self)}
            raise ValueError(f"arrays do not fit each other: {shapes}")


def searches_file(folder: Path, group: range) -> Path:
    """Where the searches of a lockstep group lie."""
    return folder / f"searches-{group[0]:04d}-{group[-1]:04d}.npz"


def write_searches(path: Path, searches: Searches) -> None:
    """Write the file, whole or not at all."""
    write_arrays(path, asdict(searches))


def read_searches(path: Path, tasks: int) -> Searches:
    """What a file of so many tasks holds.

    Raises ValueError if arrays are missing, do not fit each other or are beyond bounds, and as `read_arrays` does.
    """
    arrays = read_arrays(path, tasks)
    names = [field.name for field in fields(Searches)]
    if sorted(arrays) != sorted(names):
        raise ValueError(f"expected the arrays {', '.join(sorted(names))}; found {', '.join(sorted(arrays)) or 'none'}")
    return Searches(**arrays)
