"""The contract of what runs independent units of work, and which there are."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from vfplan.errors import UserError
from vfplan.extras import require_extra

R = TypeVar("R")

Report = Callable[[], None]
Work = Callable[[int, Report], R]
ExecutorName = Literal["serial", "processes", "ray", "slurm"]

MAX_DEATHS = 3  # of workers (killed, out of memory) before the whole gives up
PACKAGES = {"ray": "ray", "slurm": "submitit"}
"""What an executor needs beyond what vfplan needs; the extra is named as the executor."""


class Executor(Protocol):
    """Runs units of work; the results are the same by each."""

    def __call__(
        self,
        work: Work[R],
        units: Sequence[int],
        num_workers: int,
        on_progress: Callable[[int], Any],
        *,
        patience: float = 0,
    ) -> Iterator[R]:
        """Call `work(unit, report)` for every unit, at most `num_workers` at a time; yield the results as they come.

        `work` must pickle, and a unit done twice must do no harm: that of a worker that died is. A call of `report` in
        it becomes `on_progress(1)` here, several at once `on_progress(n)`; what a dead worker reported is taken back.
        A worker that calls it for `patience` seconds in no way is ended as one that hangs; 0 waits for ever.

        Raises:
            UserError: one that `work` raised, or after too many workers died.
            OSError: one that `work` raised.
            RuntimeError: with the traceback of any other exception in `work`.
        """


def require_executor(name: str, workers: int) -> None:
    """Raise UserError if what an executor needs is not installed, ValueError if it has no use for `workers`."""
    if name in PACKAGES:
        require_extra(f"executor={name}", name, PACKAGES[name])
    if name == "serial" and workers > 1:
        raise ValueError(f"executor=serial runs in this process alone; got workers={workers}: leave one out")


def executor_named(name: str, folder: Path) -> Executor:
    """The executor of a name; `folder` is where one may keep what its jobs leave, seen by all of them."""
    if name == "serial":
        from vfplan.execution.serial import run_units

        return run_units
    if name == "ray":
        from vfplan.execution.ray import run_units as run_tasks

        return run_tasks
    if name == "slurm":
        from vfplan.execution.slurm import Slurm

        return Slurm(folder)
    from vfplan.execution.processes import run_units as run_on_processes

    return run_on_processes


def attempted(work: Work[Any], unit: int, report: Report) -> tuple[str, Any]:
    """What a worker sends home of a unit: ("done", result) or ("failed", an exception to be raised there)."""
    try:
        return "done", work(unit, report)
    except (UserError, OSError) as error:
        return "failed", error
    except Exception:
        return "failed", RuntimeError(traceback.format_exc())
