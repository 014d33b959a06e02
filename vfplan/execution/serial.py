"""Independent units of work one after the other in this process. Nothing watches over one that hangs."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from vfplan.execution.executor import R, Work


def run_units(
    work: Work[R], units: Sequence[int], num_workers: int, on_progress: Callable[[int], Any], *, patience: float = 0
) -> Iterator[R]:
    """See `Executor`. What `work` raises is raised as it is; `num_workers` and `patience` have no meaning here."""
    for unit in units:
        yield work(unit, lambda: on_progress(1))
