"""Independent units of work as jobs of Slurm, by submitit; on a machine without Slurm as processes, to try it out.

What a job may take is said as for `sbatch`, by its environment variables: SBATCH_PARTITION, SBATCH_TIMELIMIT, ...
"""

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import submitit

from vfplan.errors import said
from vfplan.execution.executor import R, Work
from vfplan.execution.interrupts import TERMINATED
from vfplan.execution.jobs import Ending, run_jobs, serve
from vfplan.execution.processes import single_threaded

MINUTES = 24 * 60  # a job may take, unless SBATCH_TIMELIMIT says otherwise


@dataclass(frozen=True)
class Slurm:
    """An `Executor`; `folder` holds what its jobs are given and leave, and must be seen by all nodes.

    What lies there is unpickled, so it is made for its owner alone. It is removed at the end; after a failure it stays,
    for its logs.
    """

    folder: Path

    def __post_init__(self) -> None:
        if submitit.AutoExecutor.which() != "slurm":
            print("warning: no sbatch on this machine, so that jobs are processes here", file=sys.stderr)

    def __call__(
        self,
        work: Work[R],
        units: Sequence[int],
        num_workers: int,
        on_progress: Callable[[int], Any],
        *,
        patience: float = 0,
    ) -> Iterator[R]:
        """See `Executor`."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, mode=0o700)
        yield from run_jobs(_Slurm(work, self.folder), units, num_workers, on_progress, patience=patience)
        shutil.rmtree(self.folder)


class _Slurm:
    """Jobs are those of submitit."""

    def __init__(self, work: Work[Any], folder: Path) -> None:
        self.work, self.folder = work, folder
        self.executor = submitit.AutoExecutor(folder)
        self.executor.update_parameters(name="vfplan", timeout_min=MINUTES, cpus_per_task=1)
        self.files: dict[Any, Path] = {}

    def submit(self, unit: int) -> Any:
        file = self.folder / f"{len(self.files)}.count"
        with single_threaded():
            job = self.executor.submit(_attempt, self.work, unit, file, Path.cwd())
        self.files[job] = file
        return job

    def ended(self, jobs: Sequence[Any]) -> list[Any]:
        time.sleep(0.2)
        return [job for job in jobs if job.done()]

    def ending(self, job: Any) -> Ending:
        try:
            ending: Ending = job.result()
        except submitit.core.utils.FailedJobError as error:  # raised by what is around the work
            return "failed", RuntimeError(str(error)), 0
        except submitit.core.utils.UncompletedJobError:
            return "died", f"job {job.job_id} is {job.state}; {self._log(job)}", 0
        for path in (job.paths.submitted_pickle, job.paths.result_pickle, self.files[job]):
            path.unlink(missing_ok=True)
        return ending

    def counts(self, jobs: Sequence[Any]) -> list[int | None]:
        return [_count(self.files[job]) for job in jobs]

    def cancel(self, job: Any) -> None:
        job.cancel(check=False)

    def _log(self, job: Any) -> str:
        lines = (job.stderr() or "").split("\n")
        return f"the last of {job.paths.stderr}: {said(next((each for each in reversed(lines) if each), 'nothing'))}"


def _attempt(work: Work[Any], unit: int, file: Path, folder: Path) -> Ending:
    """A unit, in a job, in the folder that paths are relative to."""
    # submitit starts a job that was preempted, or ran out of time, again and again; here that is counted.
    for number in (signal.SIGTERM, signal.SIGUSR2):
        signal.signal(number, _end)
    os.chdir(folder)
    return serve(work, unit, lambda count: file.write_text(str(count)))


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(TERMINATED)


def _count(file: Path) -> int | None:
    """What a job wrote last; None before it has, or while it does."""
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None
