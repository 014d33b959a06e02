"""Damaged stores: what differs from what was written, and what can be saved of them. Nothing is ever deleted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vfplan.data.episode import ARRAYS
from vfplan.data.records import ShardRecord, StoreMeta, damages, own_record, read_meta, read_record
from vfplan.data.store import EpisodeStore
from vfplan.data.writing import sole_writer, write_manifest
from vfplan.errors import UserError
from vfplan.output.folder import file_sha256
from vfplan.output.progress import Bar
from vfplan.reading import read_bounded

ASIDE = "damaged"
"""The folder in a store that damaged shards go to."""


def differing(store: EpisodeStore) -> Iterator[str]:
    """What is wrong with each file that is not as it was written; reads them all."""
    for record in Bar(store.records, unit="shard"):
        yield from damages(store.path, record)


@dataclass
class Repaired:
    """What became of a store."""

    kept: list[ShardRecord] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    """What was found and done, in order."""


def repair(path: Path) -> Repaired:
    """List in the manifest every shard that is whole, and put the others into `path`/damaged.

    A shard is known by its line in the manifest, else by its own `shard.json`, else, in stores of before there were
    any, by its arrays alone: then nothing says whether they are as they were written, nor who acted.

    Raises:
        UserError: if there is no store, or its meta.json cannot be read.
    """
    meta = read_meta(path)
    if meta is None:
        raise UserError(f"{path} holds no meta.json, which alone says what the store is")
    done = Repaired()
    with sole_writer(path):
        listed = dict(_lines(path, meta, done))
        for folder in sorted(path.glob("shard-*")):
            record = listed.get(folder.name) or own_record(folder, meta) or _guessed(folder, meta, done)
            faults = ["it is no shard of this store"] if record is None else list(damages(path, record))
            if record is None or faults:
                done.lines += [*faults, f"{folder} is put aside: {_put_aside(folder)}"]
            else:
                done.kept.append(record)
        write_manifest(path, done.kept)
    return done


def missing(meta: StoreMeta, kept: list[ShardRecord]) -> int:
    """How many episodes are to be made anew."""
    return meta.episodes - sum(record.count for record in kept)


def _lines(path: Path, meta: StoreMeta, done: Repaired) -> Iterator[tuple[str, ShardRecord]]:
    """The folders and records of the lines of the manifest that can be read."""
    file = path / "manifest.jsonl"
    try:
        lines = read_bounded(file).splitlines()
    except (OSError, ValueError) as error:
        done.lines.append(f"{file} cannot be read ({error}): it is made anew")
        return
    for number, line in enumerate(lines, start=1):
        try:
            record = read_record(line, file, meta)
            yield record.folder, record
        except UserError as error:
            done.lines.append(f"line {number}: {error}")


def _guessed(folder: Path, meta: StoreMeta, done: Repaired) -> ShardRecord | None:
    """What the arrays of a shard tell; None if they are none of this store's."""
    if not folder.name[6:].isdecimal() or not (number := int(folder.name[6:])) < meta.num_shards:
        return None
    try:
        arrays = [np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in ARRAYS]
    except Exception:  # numpy evaluates the header, and what that raises is no closed set
        return None
    episodes = meta.shard_range(number)
    if any(len(array) != len(episodes) for array in arrays):
        return None
    done.lines.append(f"{folder} does not say what it holds: taken as it is, who acted is unknown")
    hashes = {name: file_sha256(folder / f"{name}.npy") for name in ARRAYS}
    return ShardRecord(number, episodes.start, len(episodes), ("unknown",) * len(episodes), hashes)


def _put_aside(folder: Path) -> Path:
    aside = folder.parent / ASIDE
    aside.mkdir(exist_ok=True)
    places = (aside / f"{folder.name}{mark}" for mark in ("", *(f"-{count}" for count in range(1, 10_000))))
    place = next(place for place in places if not place.exists())
    folder.replace(place)
    return place
