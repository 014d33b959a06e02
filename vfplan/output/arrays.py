"""Named arrays in one compressed file: written whole, read within bounds."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfplan.output.folder import write_bytes

Arrays = dict[str, NDArray[Any]]

MOST_BYTES = 2**28
"""Of a task, unpacked: more than 100 times what one of 30 actions at 128x128 has."""


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write the file at once."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_bytes(path, buffer.getvalue())


def read_arrays(path: Path, tasks: int) -> Arrays:
    """What a file about so many tasks holds; a broken one raises whatever numpy and zipfile do.

    Raises ValueError for more than so many tasks can take: compressed, a small file may fill all memory.
    """
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > tasks * MOST_BYTES:
        raise ValueError(f"{size >> 20} MiB unpacked, more than {MOST_BYTES >> 20} for each of {tasks} tasks")
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)
