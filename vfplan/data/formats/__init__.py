"""Data formats of other projects, by name: each a file here with a reader, a writer or both.

A module that reads has `read(path, config, report) -> Source`, one that writes `write(store, path, config) -> None`.
It imports the library that it needs, and is imported only when its format is asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vfplan.data.formats.base import ReadConfig, Source, WriteConfig
from vfplan.data.store import EpisodeStore
from vfplan.errors import UserError
from vfplan.extras import require_extra
from vfplan.schema import unknown_message


@dataclass(frozen=True)
class Format:
    """A format of another project."""

    title: str
    module: str
    """In this folder."""
    needs: tuple[str, ...]
    """Libraries, by the names under which they are imported."""
    extra: str
    """What installs them: `pip install 'vfplan[extra]'`."""
    reads: bool = False
    writes: bool = False
    end: str = ".h5"
    """What follows the name of a store in that of what is written."""


FORMATS = {
    "swm": Format("stable-worldmodel HDF5", "swm", ("h5py",), "hdf5", reads=True, writes=True),
    "robomimic": Format("robomimic HDF5", "robomimic", ("h5py",), "hdf5", reads=True, writes=True, end=".hdf5"),
    "robonet": Format("RoboNet HDF5", "robonet", ("h5py",), "hdf5", reads=True),
    "minari": Format("Minari 0.5", "minari", ("h5py",), "minari", writes=True, end="-v0"),
    "lerobot": Format("LeRobotDataset v3.0", "lerobot", ("pyarrow",), "lerobot", writes=True, end="-lerobot"),
}


def read(name: str, path: Path, config: ReadConfig, report: Callable[[], None] = lambda: None) -> Source:
    """Look through the data at `path`, with a `report` after each episode, and return them.

    Raises:
        UserError: if they are not of the format.
    """
    source: Source = _module(named(name, reads=True)).read(path, config, report)
    return source


def write(name: str, store: EpisodeStore, path: Path, config: WriteConfig) -> None:
    """Write a store in a format, at a path where nothing is. Raises UserError if that cannot be."""
    _module(named(name, writes=True)).write(store, path, config)


def named(name: str, *, reads: bool = False, writes: bool = False) -> Format:
    """The format of a name. Raises UserError for none, or one that does not do what is asked."""
    able = {key: each for key, each in FORMATS.items() if each.reads >= reads and each.writes >= writes}
    if name not in able:
        raise UserError(unknown_message("format", name, able))
    return able[name]


def _module(form: Format) -> Any:
    require_extra(form.title, form.extra, *form.needs)
    return importlib.import_module(f"vfplan.data.formats.{form.module}")
