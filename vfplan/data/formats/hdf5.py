"""HDF5 files that come from others: nothing of them leads elsewhere, and no size is believed before it is compared.

Files can name other files (links, external and virtual storage), hold objects, declare more than they have, and unpack
to a thousand times of what they are. All of that is refused in one line before memory is taken.
"""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from vfplan.data.formats.base import Origin
from vfplan.data.store import EpisodeStore
from vfplan.errors import BadSourceError, UserError, said
from vfplan.reading import MOST_BYTES, parse_object
from vfplan.schema import from_mapping

FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32, h5py.h5z.FILTER_LZF}
MOST_UNPACKED = 1032
"""Bytes that one byte can become: by deflate, the best of these filters."""
MOST_CHUNK = 2**26  # bytes
MOST_NAMES = 2**24
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_:. -]{0,199}")
RECORD = "vfplan"
"""The attribute in which our own files say what their store said."""


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """A file to read from. Raises BadSourceError for whatever the library says of it, here or in the body."""
    if not path.is_file():
        raise UserError(f"no file {path}")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except UserError:
        raise
    except Exception as error:  # what the library raises for damaged files is no closed set
        raise BadSourceError(f"{path}: {said(error)}") from error


class Sink(io.FileIO):
    """A file that, once it cannot be written, goes on as if it could: HDF5 does not close after a write that fails."""

    error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write all of it, or remember why not."""
        view = memoryview(data).cast("B")
        start = 0
        while self.error is None and start < len(view):
            try:
                start += super().write(view[start:])
            except OSError as error:
                self.error = error
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """Make it of this size, or remember why not."""
        try:
            return super().truncate(size)
        except OSError as error:
            self.error = self.error or error
            return size or 0

    def check(self) -> None:
        """Raise the OSError of a write that failed."""
        if self.error:
            raise self.error


@contextmanager
def created(path: Path, **how: Any) -> Iterator[tuple[h5py.File, Callable[[], None]]]:
    """A new file to write to, and what raises OSError when a write has failed; that is to be called now and then."""
    with Sink(path, "w+") as sink:
        with h5py.File(sink, "w", libver="latest", **how) as file:
            yield file, sink.check
        sink.check()


def names(group: h5py.Group) -> list[str]:
    """What is in a group. Raises BadSourceError for a name that is more than a name."""
    if len(group) > MOST_NAMES:
        raise BadSourceError(f"{_where(group)}: {len(group)} names, expected at most {MOST_NAMES}")
    found = list(group)
    for name in found:
        if not NAME.fullmatch(name) or ".." in name:
            raise BadSourceError(f"{_where(group)}: expected letters, digits and _ in names, found {said(repr(name))}")
    return found


def group(parent: h5py.Group, name: str) -> h5py.Group:
    """The group of a name. Raises BadSourceError if it is not there, or leads elsewhere."""
    found = _member(parent, name)
    if not isinstance(found, h5py.Group):
        raise BadSourceError(f"{_where(parent)}: {name} is no group")
    return found


def array(parent: h5py.Group, name: str, kinds: str, rank: int) -> h5py.Dataset:
    """The array of a name, not read yet.

    Args:
        parent: the group that it is in.
        name: its name there.
        kinds: the dtypes that it may have, as numpy's `kind`: "f" floats, "iu" integers, "S" bytes; "B" uint8.
        rank: how many axes it must have.

    Raises:
        BadSourceError: if it is not there, leads elsewhere, is of another type, or declares more than the file holds.
    """
    found, where = _member(parent, name), f"{_where(parent)}: {name}"
    if not isinstance(found, h5py.Dataset) or found.shape is None:
        raise BadSourceError(f"{where} is no array")
    dtype = found.dtype
    kind = "B" if dtype == np.uint8 else dtype.kind
    if dtype.hasobject or dtype.names or dtype.subdtype or not ({kind, dtype.kind} & set(kinds)):
        raise BadSourceError(f"{where} is of type {said(str(dtype))}, expected {_spoken(kinds)}")
    if found.is_virtual or found.external:
        raise BadSourceError(f"{where} is stored in another file")
    if len(found.shape) != rank:
        raise BadSourceError(f"{where} has shape {found.shape}, expected {rank} axes")
    _require_stored(found, where)
    return found


def number(owner: h5py.HLObject, name: str) -> int | None:
    """The whole number in an attribute; None if there is none. Raises BadSourceError for anything else."""
    value = _attribute(owner, name, "iu", ())
    return None if value is None else int(value)


def text(owner: h5py.HLObject, name: str) -> str:
    """What an attribute says, its first 200 characters; empty if there is none, or it holds something else."""
    if name not in owner.attrs:
        return ""
    kept = owner.attrs.get_id(name)
    if kept.shape != () or not (kept.dtype.kind == "S" or h5py.check_string_dtype(kept.dtype)):
        return ""
    value = owner.attrs[name]
    return said(value if isinstance(value, str) else bytes(value).decode(errors="replace"))


def write_record(file: h5py.File, store: EpisodeStore) -> None:
    """Let a file say what its store says."""
    file.attrs[RECORD] = np.bytes_(json.dumps(asdict(Origin.of(store))).encode())


def read_record(file: h5py.File) -> Origin | None:
    """What the store of one of our own files said; None for a file of others."""
    value = _attribute(file, RECORD, "S", ())
    if value is None:
        return None
    try:
        return from_mapping(Origin, parse_object(bytes(value)))
    except (ValueError, UserError) as error:
        raise BadSourceError(f"{file.filename}: what it says of its store cannot be read: {said(error)}") from error


def _member(parent: h5py.Group, name: str) -> Any:
    link = parent.get(name, getlink=True)
    if link is None:
        raise BadSourceError(
            f"{_where(parent)}: expected {name}, found {said(', '.join(list(parent)[:20])) or 'nothing'}"
        )
    if not isinstance(link, h5py.HardLink):
        raise BadSourceError(f"{_where(parent)}: {name} is a link to elsewhere, which is not followed")
    return parent[name]


def _attribute(owner: h5py.HLObject, name: str, kinds: str, shape: tuple[int, ...]) -> Any:
    if name not in owner.attrs:
        return None
    kept = owner.attrs.get_id(name)
    if kept.dtype.kind not in kinds or kept.shape != shape or kept.dtype.itemsize > MOST_BYTES:
        raise BadSourceError(f"{_where(owner)}: the attribute {name} is of type {said(str(kept.dtype))} {kept.shape}")
    return owner.attrs[name]


def _require_stored(found: h5py.Dataset, where: str) -> None:
    """Raise BadSourceError if an array is packed in another way than these, or larger than what is stored can be."""
    plist = found.id.get_create_plist()
    filters = {plist.get_filter(index)[0] for index in range(plist.get_nfilters())}
    if filters - FILTERS:
        raise BadSourceError(f"{where} is packed by filter {min(filters - FILTERS)}; expected gzip, lzf or none")
    declared, stored = math.prod(found.shape) * found.dtype.itemsize, found.id.get_storage_size()
    most = min(stored, Path(found.file.filename).stat().st_size) * (MOST_UNPACKED if filters else 1)
    if declared > most:
        raise BadSourceError(f"{where} declares {declared} bytes, but at most {most} are stored")
    if found.chunks and declared and math.prod(found.chunks) * found.dtype.itemsize > min(MOST_CHUNK, most):
        raise BadSourceError(
            f"{where} is stored in chunks of {found.chunks}; expected at most 64 MiB, all of them used"
        )


def _where(place: h5py.HLObject) -> str:
    return f"{place.file.filename}{'' if place.name == '/' else place.name}"


def _spoken(kinds: str) -> str:
    words = {"B": "uint8", "f": "floats", "iu": "integers", "S": "text", "fiu": "numbers"}
    return words.get(kinds, kinds)
