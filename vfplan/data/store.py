"""EpisodeStore: a folder of episodes read through memory maps. `writing.py` makes it; nothing in it is ever unpickled.

DIR/meta.json                     what was collected and how (StoreMeta)
DIR/manifest.jsonl                one line for each shard, in order (ShardRecord)
DIR/shard-00000/shard.json        the same line again, so that a lost manifest can be made anew
DIR/shard-00000/frames.npy        (E, T+1, Y, X, 3) uint8
DIR/shard-00000/actions.npy       (E, T, A) float32
DIR/shard-00000/hand.npy          (E, T+1, 3) float32, m; (E, T+1, 0) where there is no hand
DIR/shard-00000/object_xy.npy     (E, T+1, O, 2) float32, m; O = 0 where objects are not known

An episode that ended before T actions is padded with what it showed last; nothing reads that.
"""

import hashlib
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vfplan.data.episode import ARRAYS, Episode
from vfplan.data.records import ShardRecord, StoreMeta, damages, read_manifest, read_meta
from vfplan.errors import UserError, said

SHAPES = {"frames": "square, of 3 colours", "actions": "(A,)", "hand": "(3,) or (0,)", "object_xy": "(O, 2)"}
"""What each step of an episode has."""


class EpisodeStore:
    """The episodes of a folder. Use `EpisodeStore.open`."""

    def __init__(self, path: Path, meta: StoreMeta, records: list[ShardRecord]) -> None:
        self.path = path
        self.meta = meta
        self.records = records
        self._shards = [_map_shard(path, meta, record) for record in records]
        shapes = {name: array.shape[1:] for name, array in self._shards[0].items()}
        for record, arrays in zip(records, self._shards, strict=True):
            for name, array in arrays.items():
                if array.shape[1:] != shapes[name]:
                    raise UserError(f"{path / record.folder}/{name}.npy differs in shape from the first shard's")

    @classmethod
    def open(cls, path: str | Path) -> "EpisodeStore":
        """Open a finished store. Raises UserError for a folder that is no store, unfinished, damaged or too new."""
        path = Path(path)
        meta = read_meta(path)
        if meta is None:
            state = "is empty" if path.is_dir() and not any(path.iterdir()) else "holds no meta.json"
            what = f"{path} {state}" if path.is_dir() else f"no folder {path}"
            raise UserError(f"{what}; make a store with: python -m vfplan.collect out={path}")
        records = read_manifest(path, meta)
        stored = sum(record.count for record in records)
        _warn_of_links(path, records)
        if stored < meta.episodes:
            raise UserError(
                f"{path} is unfinished: {stored} of {meta.episodes} episodes; "
                f"run the command that makes it again to finish it"
            )
        return cls(path, meta, records)

    def __len__(self) -> int:
        """Number of episodes."""
        return self.meta.episodes

    def episode(self, index: int) -> Episode:
        """Episode `index`; its arrays are read-only views of the files."""
        arrays, row = self.locate(index)
        record, length = self.record_of(index), int(self.lengths[index])
        views = {name: array[row, : length + (name != "actions")] for name, array in arrays.items()}
        return Episode(**views, policy=record.policies[row])

    def record_of(self, index: int) -> ShardRecord:
        """The record of the shard that holds an episode."""
        return self.records[index // self.meta.shard_episodes]

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Actions (N,) of each episode."""
        full = self.meta.length
        return np.concatenate([np.array(each.lengths or [full] * each.count) for each in self.records])

    def lasting(self, episodes: Sequence[int]) -> tuple[list[int], int]:
        """The episodes that last as long as half of them do, and how many actions that is; UserError for none."""
        if not episodes:
            raise UserError(f"{self.path} has no whole episode left to validate on")
        length = int(np.sort(self.lengths[list(episodes)])[len(episodes) // 2])
        return [index for index in episodes if self.lengths[index] >= length], length

    def locate(self, index: int) -> tuple[Mapping[str, np.ndarray], int]:
        """The arrays of the shard of episode `index` and its row in them."""
        if not 0 <= index < len(self):
            raise IndexError(f"episode {index} of a store of {len(self)}")
        shard, row = divmod(index, self.meta.shard_episodes)
        return self._shards[shard], row

    @property
    def action_dim(self) -> int:
        """Components of an action, A."""
        return int(self._shards[0]["actions"].shape[2])

    @property
    def image_size(self) -> int:
        """Pixels per side of a frame."""
        return int(self._shards[0]["frames"].shape[2])

    @property
    def digest(self) -> str:
        """SHA-256 over the hashes of all files: equal digests, equal episodes."""
        hashes = [record.sha256[name] for record in self.records for name in ARRAYS]
        hashes += [str(record.lengths) for record in self.records if record.lengths]
        return hashlib.sha256("".join(hashes).encode()).hexdigest()

    def verify(self) -> None:
        """Read every file again and compare its SHA-256. Raises UserError on the first that differs."""
        for record in self.records:
            for damage in damages(self.path, record):
                raise UserError(damage)


def split_episodes(num_episodes: int, held_out: float) -> tuple[range, range]:
    """Episodes to train on and to hold out: the last `held_out` of them, a fraction below 1 or a count from 1 on.

    Raises:
        UserError: if either side would be empty.
    """
    count = int(held_out) if held_out >= 1 else round(held_out * num_episodes)
    if not 1 <= count < num_episodes:
        raise UserError(f"held_out={held_out:g} of {num_episodes} episodes leaves one side of the split empty")
    return range(num_episodes - count), range(num_episodes - count, num_episodes)


def _warn_of_links(path: Path, records: list[ShardRecord]) -> None:
    """Say which files lie elsewhere: whoever moves or checks the folder would miss them."""
    outside = [
        file
        for record in records
        for file in (path / record.folder, *(path / record.folder).glob("*"))
        if file.is_symlink() and not file.resolve().is_relative_to(path.resolve())
    ]
    if outside:
        print(f"warning: {outside[0]} leads out of {path}, to {outside[0].resolve()}", file=sys.stderr)


def _map_shard(path: Path, meta: StoreMeta, record: ShardRecord) -> dict[str, np.ndarray]:
    arrays = {}
    for name, dtype in ARRAYS.items():
        file = path / record.folder / f"{name}.npy"
        steps = meta.length + (name != "actions")
        try:
            array = np.load(file, mmap_mode="r", allow_pickle=False)
        except FileNotFoundError:
            raise UserError(f"{file} is missing; run the command that made the store again") from None
        except Exception as error:  # numpy evaluates the header, and what that raises is no closed set
            raise UserError(f"{file} is damaged: {said(error)}") from error
        if array.dtype != dtype or array.shape[:2] != (record.count, steps):
            raise UserError(f"{file} holds {array.dtype} {array.shape}, not {dtype} ({record.count}, {steps}, ...)")
        if not _well_shaped(name, array.shape[2:]):
            raise UserError(f"{file} holds {name} of shape {array.shape[2:]}; expected {SHAPES[name]}")
        if array.size and file.stat().st_size != array.offset + array.nbytes:
            raise UserError(f"{file} is damaged: {file.stat().st_size - array.offset - array.nbytes} bytes too many")
        arrays[name] = array
    return arrays


def _well_shaped(name: str, shape: tuple[int, ...]) -> bool:
    match name:
        case "frames":
            return len(shape) == 3 and shape[0] == shape[1] >= 1 and shape[2] == 3
        case "object_xy":
            return len(shape) == 2 and shape[1] == 2
        case "hand":
            return shape in ((3,), (0,))
        case _:
            return len(shape) == 1
