"""Independent units of work as tasks of Ray: on this machine, or on the cluster that RAY_ADDRESS names."""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import ray

from vfplan.errors import said
from vfplan.execution.executor import R, Work
from vfplan.execution.interrupts import ctrl_c_held_back, sigterm_unwinds
from vfplan.execution.jobs import Ending, run_jobs, serve

# Ray hides GPUs from tasks that reserve none; ours see them all, as processes do.
WORKER_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}


def run_units(
    work: Work[R], units: Sequence[int], num_workers: int, on_progress: Callable[[int], Any], *, patience: float = 0
) -> Iterator[R]:
    """See `Executor`. Without RAY_ADDRESS a cluster of `num_workers` is started on this machine, and ended."""
    with sigterm_unwinds(), _cluster(num_workers):  # Ray has a handler of its own, and leaves it there
        yield from run_jobs(_Ray(work), units, num_workers, on_progress, patience=patience)


class _Counts:
    """What tasks have reported, by their number: an actor, asked by the one and told by the others."""

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}

    def tell(self, number: int, count: int) -> None:
        self.counts[number] = count

    def ask(self) -> dict[int, int]:
        return self.counts


class _Ray:
    """Jobs are references to results."""

    def __init__(self, work: Work[Any]) -> None:
        self.work = ray.put(work)
        self.task = ray.remote(num_cpus=1, max_retries=0)(_attempt)
        self.told = ray.remote(num_cpus=0)(_Counts).remote()
        self.numbers: dict[Any, int] = {}

    def submit(self, unit: int) -> Any:
        number = len(self.numbers)
        job = self.task.remote(self.work, unit, number, self.told, Path.cwd())
        self.numbers[job] = number
        return job

    def ended(self, jobs: Sequence[Any]) -> list[Any]:
        return list(ray.wait(list(jobs), num_returns=1, timeout=0.5)[0])

    def ending(self, job: Any) -> Ending:
        try:
            kind, value, count = ray.get(job)
        except ray.exceptions.RayTaskError as error:  # raised by what is around the work
            return "failed", RuntimeError(str(error)), 0
        except ray.exceptions.RayError as error:
            return "died", said(error), 0
        return kind, value, count

    def counts(self, jobs: Sequence[Any]) -> list[int | None]:
        told = ray.get(self.told.ask.remote())
        return [told.get(self.numbers[job]) for job in jobs]

    def cancel(self, job: Any) -> None:
        ray.cancel(job, force=True)


def _attempt(work: Work[Any], unit: int, number: int, told: Any, folder: Path) -> Ending:
    """A unit, in a worker of Ray, in the folder that paths are relative to."""
    os.chdir(folder)
    return serve(work, unit, lambda count: told.tell.remote(number, count))


@contextlib.contextmanager
def _cluster(num_workers: int) -> Iterator[None]:
    """Be connected to a cluster; one that the caller is connected to already stays as it is."""
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would call its makers
    address = os.environ.get("RAY_ADDRESS")
    own: dict[str, Any] = {
        "num_cpus": num_workers,
        "include_dashboard": False,
        "object_store_memory": 2**28,
        "_node_ip_address": "127.0.0.1",  # its ports take orders from whoever reaches them
    }
    with ctrl_c_held_back():
        ray.init(
            address=address or "local",
            log_to_driver=False,
            logging_level="error",
            runtime_env={"env_vars": WORKER_ENVIRONMENT},
            **({} if address else own),
        )
    try:
        yield
    finally:
        with ctrl_c_held_back():
            ray.shutdown()
