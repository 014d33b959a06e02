"""Independent units of work on spawned processes of one thread each. A dead worker's unit is done again by another."""

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any

from vfplan.errors import UserError
from vfplan.execution.executor import MAX_DEATHS, R, Work, attempted
from vfplan.execution.interrupts import ctrl_c_held_back
from vfplan.plugins import load_plugins


class WorkersDiedError(UserError):
    """Worker processes that were killed, crashed or hung, too often to go on."""


def run_units(
    work: Work[R],
    units: Sequence[int],
    num_workers: int,
    on_progress: Callable[[int], Any],
    *,
    patience: float = 0,
    max_deaths: int = MAX_DEATHS,
) -> Iterator[R]:
    """See `Executor`; WorkersDiedError after more than `max_deaths` died.

    Also when this process was killed, a worker ends with its next report.
    """
    waiting, deaths = list(reversed(units)), 0
    workers: dict[Any, _Worker] = {}
    # Else it starts with the first worker, and unblocks in between what `ctrl_c_held_back` blocks for that one.
    resource_tracker.ensure_running()
    try:
        while waiting or workers:
            while waiting and len(workers) < num_workers:
                with ctrl_c_held_back():
                    worker = _start(work, waiting.pop())
                    workers[worker.connection] = worker
            for connection in wait(list(workers), timeout=1.0 if patience else None) or _hanging(workers, patience):
                worker = workers[connection]
                kind, value = worker.receive()
                if kind == "died":
                    deaths += 1
                    waiting.append(worker.unit)
                    on_progress(-worker.reports)
                    code = workers.pop(connection).end()
                    if deaths > max_deaths:
                        how = f"gave no sign for {patience:g} s" if worker.hung else f"died with exit code {code}"
                        raise WorkersDiedError(f"{deaths} worker processes ended early, the last {how}")
                elif kind == "failed":
                    raise value
                elif kind == "report":
                    worker.reports += 1
                    on_progress(1)
                else:
                    yield value
                    if waiting:
                        worker.take(waiting.pop())
                    else:
                        workers.pop(connection).end()
    finally:
        for worker in workers.values():
            worker.end()


@dataclass
class _Worker:
    """A process, our end of its pipe, the unit it works on and how often it has reported about it."""

    process: Any
    connection: "Connection[Any, Any]"
    unit: int = -1
    reports: int = 0
    heard: float = 0.0
    """When it was last heard of."""
    hung: bool = False

    def take(self, unit: int) -> None:
        """Give it a unit. If it is dead, `receive` will tell."""
        self.unit, self.reports, self.heard = unit, 0, time.monotonic()
        with contextlib.suppress(ConnectionError):
            self.connection.send(unit)

    def receive(self) -> tuple[str, Any]:
        """Its next message: ("report", None), ("done", result), ("failed", exception) or ("died", None)."""
        self.heard = time.monotonic()
        try:
            kind, value = self.connection.recv()
        except (EOFError, ConnectionError):
            return "died", None
        return kind, value

    def end(self) -> int | None:
        """Close its pipe, at which it ends with its next report, and wait. Returns its exit code."""
        self.connection.close()
        self.process.join(timeout=10)
        self.process.kill()
        self.process.join()
        return None if self.process.exitcode is None else int(self.process.exitcode)


def _hanging(workers: dict[Any, _Worker], patience: float) -> list[Any]:
    """Kill workers that were not heard of for so long; their connections."""
    silent = [each for each in workers.values() if patience and time.monotonic() - each.heard > patience]
    for worker in silent:
        worker.hung = True
        worker.process.kill()
    return [worker.connection for worker in silent]


def _start(work: Work[Any], unit: int) -> _Worker:
    # Spawned, not forked: no worker holds another's end of a pipe, so a closed pipe always means a dead peer.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, work), daemon=True)
    with single_threaded():
        process.start()
    theirs.close()
    worker = _Worker(process, ours)
    worker.take(unit)
    return worker


def _serve(connection: "Connection[Any, Any]", work: Work[Any]) -> None:
    load_plugins()
    # Ctrl-C reaches the whole group; the parent decides, and its closed pipe tells us. Until here it was held back.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def send(kind: str, value: Any = None) -> None:
        try:
            connection.send((kind, value))
        except ConnectionError:
            raise SystemExit from None

    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            send(*attempted(work, connection.recv(), lambda: send("report")))


@contextlib.contextmanager
def single_threaded() -> Iterator[None]:
    """Let processes started here inherit one thread for numpy and torch: there are as many of them as cores."""
    name = "OMP_NUM_THREADS"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        del os.environ[name]
        if before is not None:
            os.environ[name] = before
