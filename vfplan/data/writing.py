"""Writing an episode store shard by shard, so that a killed collection can go on. Reading is `store.py`."""

import dataclasses
import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vfplan.data.episode import ARRAYS, Episode
from vfplan.data.store import ShardRecord, StoreMeta, read_manifest, read_meta, shard_folder
from vfplan.errors import UserError
from vfplan.output.folder import file_sha256, published_folder, remove_temporary, write_json, write_text


def prepare_store(path: Path, meta: StoreMeta) -> list[ShardRecord]:
    """Make `path` ready for the missing shards of `meta`, and return the records of those that are finished.

    A store may be continued with the same settings, or with more episodes, for each depends only on its index.
    Removes what killed writers left: temporary files, and shards that never reached the manifest.

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
        if any(path.glob("shard-*")) and not (path / "manifest.jsonl").exists():
            raise UserError(f"{path}/manifest.jsonl is missing; choose another out=, or remove the folder")
        finished = [record for record in read_manifest(path, stored) if _is_finished(path, meta, record)]
    remove_temporary(path)
    # A shard leaves the manifest before its files go, and the meta promises more only then.
    write_manifest(path, finished)
    for folder in set(path.glob("shard-*")) - {path / record.folder for record in finished}:
        shutil.rmtree(folder)
    write_json(path / "meta.json", meta)
    return finished


def write_shard(path: Path, shard: int, first: int, episodes: Iterable[Episode]) -> ShardRecord:
    """Write the episodes from number `first` on as a shard of the store at `path`: whole or not at all."""
    rows = list(episodes)
    with published_folder(path / shard_folder(shard)) as folder:
        for name in ARRAYS:
            np.save(folder / f"{name}.npy", np.stack([getattr(row, name) for row in rows]), allow_pickle=False)
        hashes = {name: file_sha256(folder / f"{name}.npy") for name in ARRAYS}
    return ShardRecord(shard, first, len(rows), tuple(row.policy for row in rows), hashes)


def write_manifest(path: Path, records: Iterable[ShardRecord]) -> None:
    """Replace the manifest by these records, in the order of their shards."""
    ordered = sorted(records, key=lambda record: record.shard)
    write_text(path / "manifest.jsonl", "".join(json.dumps(dataclasses.asdict(row)) + "\n" for row in ordered))


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
