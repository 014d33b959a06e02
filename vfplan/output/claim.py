"""A run folder belongs to one process: made and locked before any work, and gone again if nothing was written."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from vfplan.errors import UserError
from vfplan.output.folder import remove_temporary, write_json
from vfplan.reading import read_object

LOCK, HOLDER = ".lock", ".lock.json"
DEPTH = 2
"""Levels of folders in that of a run: episodes/NAME of a benchmark."""


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Keep every other process from writing a run into `folder`, which is made if it is not there.

    The lock is the operating system's, so that it goes when its process does, however that ends. What killed writers
    left in the folder is removed.

    Raises:
        UserError: if another process holds it (which, where and since when), or the folder cannot be written.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    lock = FileLock(folder / LOCK, blocking=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
        remove_temporary(folder, DEPTH)
        now = datetime.now().astimezone().isoformat(timespec="minutes")
        write_json(folder / HOLDER, {"process": os.getpid(), "host": socket.gethostname(), "since": now})
    except Timeout as error:
        raise UserError(f"{folder} is in use by {_holder(folder)}; give another run_dir") from error
    except OSError as error:
        lock.release()
        _remove_empty(made)
        raise UserError(f"cannot write to run_dir {folder}: {error.strerror or error}") from error
    try:
        yield
    finally:
        # Before it is released: who waits for a lock that is no longer there takes a new one.
        for name in (HOLDER, LOCK):
            (folder / name).unlink(missing_ok=True)
        lock.release()
        _remove_empty(made)


def _remove_empty(folders: list[Path]) -> None:
    with contextlib.suppress(OSError):
        for folder in folders:
            folder.rmdir()


def _holder(folder: Path) -> str:
    """Who holds the lock of `folder`, as far as it says."""
    try:
        holder = read_object(folder / HOLDER)
        return f"process {holder['process']} on {holder['host']} since {holder['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
