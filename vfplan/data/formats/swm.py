"""stable-worldmodel HDF5: all episodes one after the other in columns, and where each begins.

pixels      (N, Y, X, 3) uint8, chunks of one row      ep_len     (E,) int32, rows of each episode
action      (N, A); the last row of an episode leads   ep_offset  (E,) int64, its first row
            beyond it and is not read; we write zeros
hand, object_xy, policy: as our own stores have them, where there are any; other columns are left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from vfplan.data.checking import sound_episodes
from vfplan.data.episode import Episode
from vfplan.data.formats.base import (
    OneFile,
    Reach,
    ReadConfig,
    WriteConfig,
    origin_of,
    require_frames,
    resized,
    scaled,
)
from vfplan.data.formats.hdf5 import array, created, names, opened, read_record, write_record
from vfplan.data.store import EpisodeStore
from vfplan.errors import BadSourceError
from vfplan.output.folder import published_file
from vfplan.output.progress import Bar

Columns = Mapping[str, h5py.Dataset]

PIXELS = "pixels"
LONGEST_POLICY = 64  # bytes
TABLE = ("ep_len", "ep_offset")
COLUMNS = {"action": ("f", (0,)), "hand": ("f", (3,)), "object_xy": ("f", (0, 2)), "policy": ("S", ())}
"""The types of the other columns, and the shapes of their rows, where 0 is any width; all but actions are our own."""


@dataclass(frozen=True)
class SwmFile(OneFile):
    """A file that was looked through."""

    firsts: tuple[int, ...]
    """The first row of each episode."""

    def episodes(self, indices: range) -> Iterator[Episode]:
        """Read these."""
        with opened(self.path) as file:
            columns = _columns(file, self.config)
            for index in indices:
                first = self.firsts[index]
                yield _episode(columns, first, first + self.lengths[index], self.config)


def read(path: Path, config: ReadConfig, report: Callable[[], None]) -> SwmFile:
    """Look through a file, with a report after each episode. Raises UserError if it is not of this format."""
    with opened(path) as file:
        columns = _columns(file, config)
        counts, firsts = _table(file, path, len(columns[PIXELS]))
        for count in {int(counts.min()), int(counts.max())}:
            require_frames((count, *columns[PIXELS].shape[1:]), config, f"{path}: {config.camera or PIXELS}")
        if "action" in columns:
            reach = Reach(config)
            for first, count in zip(firsts, counts, strict=True):
                reach.add(columns["action"][first : first + count - 1], f"{path}: row {first}")
                report()
            reach.require_within_scale(path)
        recorded, size = read_record(file), columns[PIXELS].shape[1]
    origin = origin_of(recorded, "swm", config, size)
    return SwmFile(path, config, origin, tuple((counts - 1).tolist()), tuple(firsts.tolist()))


def write(store: EpisodeStore, path: Path, config: WriteConfig) -> None:
    """Write a store as a file that stable-worldmodel's `HDF5Dataset` reads."""
    rows = int(store.lengths.sum()) + len(store)
    with published_file(path) as temporary, created(temporary) as (file, check):
        columns = {name: _new_column(file, name, rows, like) for name, like in _rows_of(store.episode(0)).items()}
        first = 0
        episodes = sound_episodes(store, range(len(store)))
        for episode in Bar(episodes, total=len(store), unit="episode"):
            for name, values in _rows_of(episode).items():
                columns[name][first : first + len(values)] = values
            first += len(episode) + 1
            check()
        counts = store.lengths + 1
        file.create_dataset("ep_len", data=counts.astype(np.int32))
        file.create_dataset("ep_offset", data=np.cumsum(counts) - counts, dtype=np.int64)
        write_record(file, store)


def _columns(file: h5py.File, config: ReadConfig) -> dict[str, h5py.Dataset]:
    """What is read of a file, checked to be of one length."""
    present = names(file)
    found = {PIXELS: array(file, config.camera or PIXELS, "B", 4)}
    for name, (kinds, shape) in (COLUMNS if read_record(file) else {"action": COLUMNS["action"]}).items():
        if name in present:
            found[name] = array(file, name, kinds, 1 + len(shape))
            if any(wanted not in (0, size) for wanted, size in zip(shape, found[name].shape[1:], strict=True)):
                raise BadSourceError(f"{file.filename}: {name} has shape {found[name].shape}, expected (N, {shape})")
    rows = {name: len(column) for name, column in found.items()}
    if len(set(rows.values())) > 1:
        raise BadSourceError(f"{file.filename}: columns of different lengths: {rows}")
    return found


def _table(file: h5py.File, path: Path, rows: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many rows each episode has, and its first."""
    counts, firsts = (array(file, name, "iu", 1)[:].astype(np.int64) for name in TABLE)
    if len(counts) != len(firsts) or not len(counts):
        raise BadSourceError(
            f"{path}: ep_len has {len(counts)} entries, ep_offset {len(firsts)}; expected as many, some"
        )
    fits = (counts >= 1) & (counts <= rows) & (firsts >= 0) & (firsts <= rows - np.clip(counts, 0, rows))
    if not fits.all() or counts.sum() > rows:
        episode = int(np.argmin(fits))
        which = f"episode {episode} is {counts[episode]} rows from {firsts[episode]} on" if not fits.all() else "all"
        raise BadSourceError(f"{path}: {which}, together {counts.sum()} rows, but there are {rows}")
    return counts, firsts


def _episode(columns: Columns, first: int, last: int, config: ReadConfig) -> Episode:
    """The episode from one row to another; the action of the last leads beyond it."""
    rows, frames = slice(first, last + 1), columns[PIXELS][first : last + 1]
    count = last + 1 - first
    return Episode(
        frames=resized(frames, config),
        actions=scaled(_values(columns, "action", slice(first, last), (count - 1, 0)), config),
        hand=_values(columns, "hand", rows, (count, 0)).astype(np.float32),
        object_xy=_values(columns, "object_xy", rows, (count, 0, 2)).astype(np.float32),
        policy=columns["policy"][first].decode(errors="replace") if "policy" in columns else "unknown",
    )


def _values(columns: Columns, name: str, rows: slice, none: tuple[int, ...]) -> NDArray[Any]:
    return np.asarray(columns[name][rows]) if name in columns else np.zeros(none, np.float32)


def _rows_of(episode: Episode) -> dict[str, NDArray[Any]]:
    """What the rows of an episode hold; columns without components are left out."""
    policy = np.full(len(episode) + 1, episode.policy.encode()[:LONGEST_POLICY], dtype=f"S{LONGEST_POLICY}")
    rows = {
        PIXELS: episode.frames,
        "action": np.concatenate([episode.actions, np.zeros_like(episode.actions[:1])]),
        "hand": episode.hand,
        "object_xy": episode.object_xy,
        "policy": policy,
    }
    return {name: values for name, values in rows.items() if values.shape[1:] == () or values[0].size}


def _new_column(file: h5py.File, name: str, rows: int, like: NDArray[Any]) -> h5py.Dataset:
    """An empty column, in chunks of one row as stable-worldmodel has them, but for the names of policies."""
    chunk = min(rows, 1024) if name == "policy" else 1
    return file.create_dataset(name, (rows, *like.shape[1:]), like.dtype, chunks=(chunk, *like.shape[1:]))
