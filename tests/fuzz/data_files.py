"""The files that data consist of: stores, records of BAIR, formats of other projects."""

from __future__ import annotations

import json
import os
import resource
import select
import shutil
import signal
import struct
from pathlib import Path

from tests.data import records
from tests.data.formats import files
from tests.faults import small
from tests.fuzz.reader import Reader
from vfplan.data import formats
from vfplan.data.bair import ACTION_SCALE, BairSplit
from vfplan.data.formats.base import ReadConfig, WriteConfig
from vfplan.data.repairing import repair
from vfplan.data.store import EpisodeStore
from vfplan.data.tfrecord import masked_crc32c
from vfplan.errors import UserError
from vfplan.output.folder import file_sha256

PATIENCE = 3
"""Seconds; a command waits longer."""
MORE_MEMORY = 100 << 10
"""KiB that reading may take."""
SHARD = "store/shard-00000"


def store(folder: Path) -> None:
    """A store of two shards."""
    small.store(folder / "store")


def read_store(folder: Path) -> None:
    """Every episode, as training and evaluation read them."""
    opened = EpisodeStore.open(folder / "store")
    for index in range(len(opened)):
        opened.episode(index)
    opened.verify()


def repaired(folder: Path) -> None:
    """What `vfplan.data repair` does."""
    repair(folder / "store")


def vouch(folder: Path) -> None:
    """Let the record of the shard name the hashes that its files have now."""
    path = folder / "store" / "manifest.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        shard = folder / "store" / f"shard-{line['shard']:05d}"
        line["sha256"] = {name: file_sha256(shard / f"{name}.npy") for name in line["sha256"]}
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def tfrecord(folder: Path) -> None:
    """Two records of BAIR."""
    each = [records.example(records.bair_features(records.trajectory(index))) for index in range(2)]
    (folder / "a.tfrecords").write_bytes(b"".join(map(records.framed, each)))


def read_tfrecord(folder: Path) -> None:
    """As `vfplan.convert`."""
    split = BairSplit.open(folder)
    _ = split.fingerprint
    for index in range(len(split)):
        split.episode(index, "image_main", ACTION_SCALE)


def example(folder: Path) -> None:
    """A record of BAIR without its frame."""
    (folder / "example").write_bytes(records.example(records.bair_features(records.trajectory(0))))


def framed(data: bytes) -> bytes:
    """Some bytes as a record with right checksums."""

    def masked(part: bytes) -> bytes:
        return struct.pack("<I", masked_crc32c(part))

    length = struct.pack("<Q", len(data))
    return length + masked(length) + data + masked(data)


def read_example(folder: Path) -> None:
    """As a record of a file."""
    (folder / "a.tfrecords").write_bytes(framed((folder / "example").read_bytes()))
    read_tfrecord(folder)


def foreign(name: str, path: Path) -> None:
    """Every episode of another project's data, as `vfplan.data import`: in a process of its own.

    The HDF5 library itself hangs on one in two thousand of these files, which ends in a line there.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        said, before = "", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            source = formats.read(name, path, ReadConfig())
            for _ in source.episodes(range(len(source.lengths))):
                pass
        except UserError as error:
            said = f"refused {error}"
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        finally:
            took = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            os.write(writing, (f"{took >> 10} MB" if took > MORE_MEMORY else said).encode()[:10_000])
            os._exit(0)
    os.close(writing)
    answers, _, _ = select.select([reading], [], [], PATIENCE)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(reading) as found:
        said = found.read() if answers else "refused: it hangs its library"
    if said.startswith("refused"):
        raise UserError(said)
    if said:
        raise AssertionError(said)


def exported(folder: Path) -> None:
    """A store in stable-worldmodel's format, with what the store said of itself."""
    store(folder)
    formats.write("swm", EpisodeStore.open(folder / "store"), folder / "own.h5", WriteConfig())
    shutil.rmtree(folder / "store")


READERS = {
    "framing": Reader(tfrecord, "a.tfrecords", read_tfrecord),
    "example": Reader(example, "example", read_example),
    "manifest": Reader(store, "store/manifest.jsonl", read_store),
    "meta": Reader(store, "store/meta.json", read_store),
    "npy": Reader(store, f"{SHARD}/actions.npy", read_store, vouch),
    "shard": Reader(store, f"{SHARD}/shard.json", repaired),
    "swm": Reader(lambda folder: files.swm(folder / "a.h5"), "a.h5", lambda folder: foreign("swm", folder / "a.h5")),
    "own_swm": Reader(exported, "own.h5", lambda folder: foreign("swm", folder / "own.h5")),
    "robomimic": Reader(
        lambda folder: files.robomimic(folder / "a.hdf5"),
        "a.hdf5",
        lambda folder: foreign("robomimic", folder / "a.hdf5"),
    ),
    "robonet": Reader(
        lambda folder: files.robonet(folder / "a"), "a/traj0.hdf5", lambda folder: foreign("robonet", folder / "a")
    ),
}
