"""Writing an episode store shard by shard, so that a killed collection can go on. Reading is `store.py`."""

import contextlib
import dataclasses
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from vfplan.data.episode import ARRAYS, Episode
from vfplan.data.records import (
    SHARD,
    ShardRecord,
    StoreMeta,
    damages,
    own_record,
    read_manifest,
    read_meta,
    shard_folder,
)
from vfplan.errors import UserError
from vfplan.output.folder import (
    command_line,
    file_sha256,
    published_folder,
    remove_temporary,
    write_json,
    write_text,
)
from vfplan.reading import read_object

COMMAND = "command.json"
MAKERS = ("collect", "generate", "convert", "data import", "data merge", "data split")


def prepare_store(path: Path, meta: StoreMeta) -> list[ShardRecord]:
    """Make `path` ready for the missing shards of `meta`, and return the records of those that are finished.

    A store may be continued with the same settings, or with more episodes, for each depends only on its index.
    Removes what killed writers left, and lists shards again that never reached the manifest, or whose lines were lost.

    Raises:
        UserError: if `path` holds something else, or a store made with other settings; nothing is changed then.
    """
    stored = read_meta(path)
    finished: list[ShardRecord] = []
    if stored is None:
        if path.exists() and (not path.is_dir() or any(not file.name.startswith(".") for file in path.iterdir())):
            raise UserError(f"{path} exists and is no episode store; choose another out=")
        write_json(path / "meta.json", meta)
    else:
        _check_same(path, stored, meta)
        listed = read_manifest(path, stored)
        finished = [
            record for record in [*listed, *_unlisted(path, stored, listed)] if _is_finished(path, meta, record)
        ]
    remove_temporary(path)
    # A shard leaves the manifest before its files go, and the meta promises more only then.
    write_manifest(path, finished)
    for folder in set(path.glob("shard-*")) - {path / record.folder for record in finished}:
        shutil.rmtree(folder)
    write_json(path / "meta.json", meta)
    write_json(path / COMMAND, {"command": command_line()})
    return finished


def _unlisted(path: Path, meta: StoreMeta, listed: list[ShardRecord]) -> Iterator[ShardRecord]:
    """The shards that a killed writer published and did not list, or whose lines were lost.

    Raises:
        UserError: if one does not say what it holds, or is not what it says.
    """
    for folder in sorted(set(path.glob("shard-*")) - {path / record.folder for record in listed}):
        record = own_record(folder, meta)
        if record is None or any(damages(path, record)):
            raise UserError(f"{folder} is not in the manifest; see to it: python -m vfplan.data repair data={path}")
        yield record


def write_shard(path: Path, shard: int, first: int, episodes: Iterable[Episode], length: int = 0) -> ShardRecord:
    """Write the episodes from number `first` on as a shard of the store at `path`: whole or not at all.

    Episodes of fewer actions than the longest are padded with what they showed last.
    """
    rows = list(episodes)
    lengths = tuple(len(row) for row in rows)
    most = max(length, *lengths)
    with published_folder(path / shard_folder(shard)) as folder:
        for name in ARRAYS:
            stacked = np.stack([_padded(getattr(row, name), most + (name != "actions")) for row in rows])
            np.save(folder / f"{name}.npy", stacked, allow_pickle=False)
        hashes = {name: file_sha256(folder / f"{name}.npy") for name in ARRAYS}
        whole = min(lengths) == most
        record = ShardRecord(
            shard, first, len(rows), tuple(row.policy for row in rows), hashes, None if whole else lengths
        )
        (folder / SHARD).write_text(_line(record))
    return record


def write_manifest(path: Path, records: Iterable[ShardRecord]) -> None:
    """Replace the manifest by these records, in the order of their shards."""
    ordered = sorted(records, key=lambda record: record.shard)
    write_text(path / "manifest.jsonl", "".join(map(_line, ordered)))


def _line(record: ShardRecord) -> str:
    said = {key: value for key, value in dataclasses.asdict(record).items() if value is not None}
    return json.dumps(said) + "\n"


def _padded(steps: NDArray[Any], count: int) -> NDArray[Any]:
    """An array with its last entry repeated until there are `count`."""
    return np.concatenate([steps, np.repeat(steps[-1:], count - len(steps), axis=0)]) if len(steps) < count else steps


@contextlib.contextmanager
def sole_writer(path: Path) -> Iterator[None]:
    """Hold the folder against a second writer; the lock ends with this process, however it ends."""
    lock = FileLock(path / ".lock", blocking=False)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with lock:
            try:
                yield
            finally:
                # Before it is released: who waits for a lock that is no longer there takes a new one.
                (path / ".lock").unlink(missing_ok=True)
    except Timeout as error:
        raise UserError(f"another collection is writing to {path}") from error
    except OSError as error:
        raise UserError(f"cannot write to {path}: {error.strerror or error}") from error


def command_of(path: Path) -> list[str]:
    """The command line that made a store; empty where it does not say, or was made otherwise."""
    try:
        program, *words = read_object(path / COMMAND)["command"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    name = str(program).removesuffix(".py")
    return ["python", "-m", *f"vfplan.{name}".split(), *map(str, words)] if name in MAKERS else []


def _is_finished(path: Path, meta: StoreMeta, record: ShardRecord) -> bool:
    files = [path / record.folder / f"{name}.npy" for name in ARRAYS]
    return record.count == len(meta.shard_range(record.shard)) and all(file.is_file() for file in files)


def _check_same(path: Path, stored: StoreMeta, wanted: StoreMeta) -> None:
    if wanted.episodes < stored.episodes:
        raise UserError(f"{path} has episodes={stored.episodes}, more than {wanted.episodes}; choose another out=")
    # Through JSON, as the stored one went, so that tuples and numpy numbers compare equal.
    now = json.loads(json.dumps(dataclasses.asdict(wanted), default=lambda value: value.tolist()))
    before, after = _flat(dataclasses.asdict(stored)), _flat(now)
    for key in {**before, **after}:
        if key != "episodes" and before.get(key) != after.get(key):
            was, now_is = (_short(values.get(key)) for values in (before, after))
            raise UserError(f"{path} was collected with {key}={was}, not {now_is}; choose another out=")


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for key, value in values.items():
        flat.update(_flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value})
    return flat


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
