"""EpisodeStore: a folder of episodes read through memory maps. `writing.py` makes it; nothing in it is ever unpickled.

DIR/meta.json                     what was collected and how (StoreMeta)
DIR/manifest.jsonl                one line for each shard, in order (ShardRecord)
DIR/shard-00000/frames.npy        (E, T+1, Y, X, 3) uint8
DIR/shard-00000/actions.npy       (E, T, A) float32
DIR/shard-00000/hand.npy          (E, T+1, 3) float32, m; (E, T+1, 0) where there is no hand
DIR/shard-00000/object_xy.npy     (E, T+1, O, 2) float32, m; O = 0 where objects are not known
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from vfplan.data.episode import ARRAYS, Episode
from vfplan.errors import UserError
from vfplan.output.folder import file_sha256
from vfplan.reading import parse_object, read_bounded
from vfplan.schema import from_mapping

FORMAT_VERSION = 1

SHAPES = {"frames": "square, of 3 colours", "actions": "(A,)", "hand": "(3,) or (0,)", "object_xy": "(O, 2)"}
"""What each step of an episode has."""

T = TypeVar("T")


@dataclass(frozen=True)
class StoreMeta:
    """How a store was made; two stores with equal metas hold equal bytes.

    Attributes:
        version: of the format.
        env: name of the environment.
        episodes: how many the finished store holds.
        shard_episodes: how many a shard holds, but for the last.
        length: actions per episode, T.
        seed: episode i is a function of (seed, i) and the rest of this record.
        policy: the policy asked for; the manifest has the one each episode got.
        description: the environment's own (image size, step in s, action scale, renderer, camera, MJCF; where a
            planner acted also `closed_loop`, its weights and settings), the configuration of a source with known
            answers, or where imported episodes come from.
        versions: of the packages that decide about pixels and physics.
    """

    version: int
    env: str
    episodes: int
    shard_episodes: int
    length: int
    seed: int
    policy: str
    description: dict[str, Any]
    versions: dict[str, str]

    def shard_range(self, shard: int) -> range:
        """The episodes of a shard."""
        first = shard * self.shard_episodes
        return range(first, min(first + self.shard_episodes, self.episodes))

    @property
    def num_shards(self) -> int:
        """Shards of the finished store."""
        return -(-self.episodes // self.shard_episodes)


@dataclass(frozen=True)
class ShardRecord:
    """A line of the manifest: which episodes a shard holds, who acted in each, the SHA-256 of each file."""

    shard: int
    first: int
    count: int
    policies: tuple[str, ...]
    sha256: dict[str, str]

    @property
    def folder(self) -> str:
        """Name of the shard's folder; made from the number, never read from a file."""
        return shard_folder(self.shard)


def shard_folder(shard: int) -> str:
    """Name of a shard's folder."""
    return f"shard-{shard:05d}"


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
        record = self.records[index // self.meta.shard_episodes]
        return Episode(**{name: array[row] for name, array in arrays.items()}, policy=record.policies[row])

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
        return hashlib.sha256("".join(hashes).encode()).hexdigest()

    def verify(self) -> None:
        """Read every file again and compare its SHA-256. Raises UserError on the first that differs."""
        for record in self.records:
            for name in ARRAYS:
                file = self.path / record.folder / f"{name}.npy"
                if file_sha256(file) != record.sha256[name]:
                    last = record.first + record.count - 1
                    raise UserError(f"{file} is damaged: its SHA-256 changed (episodes {record.first} to {last})")


def split_episodes(num_episodes: int, validation: float) -> tuple[range, range]:
    """Train and validation episodes: the last `validation` of them, a fraction below 1 or a count from 1 on.

    Raises:
        UserError: if either side would be empty.
    """
    held_out = int(validation) if validation >= 1 else round(validation * num_episodes)
    if not 1 <= held_out < num_episodes:
        raise UserError(f"validation={validation} of {num_episodes} episodes leaves one side of the split empty")
    return range(num_episodes - held_out), range(num_episodes - held_out, num_episodes)


def read_meta(path: Path) -> StoreMeta | None:
    """The meta of a store, None where there is none. Raises UserError if it cannot be understood."""
    file = path / "meta.json"
    if not file.is_file():
        return None
    values = _parse(_read(file), file)
    if values.get("version") != FORMAT_VERSION:
        found = values.get("version", "no version")
        raise UserError(f"{file}: this vfplan reads episode stores of version {FORMAT_VERSION}, found {found}")
    meta = _checked(StoreMeta, values, file)
    for name, least in {"episodes": 1, "shard_episodes": 1, "length": 1, "seed": 0}.items():
        if not least <= getattr(meta, name) < 2**31:
            raise UserError(f"{file}: {name} must be between {least} and 2**31; found {getattr(meta, name)}")
    return meta


def read_manifest(path: Path, meta: StoreMeta) -> list[ShardRecord]:
    """The finished shards in order. Raises UserError if a line cannot be understood or does not fit the meta."""
    file = path / "manifest.jsonl"
    lines = _read(file).splitlines() if file.is_file() else []
    records = [_checked(ShardRecord, _parse(line, file), file) for line in lines]
    for record in records:
        first, count = record.shard * meta.shard_episodes, record.count
        fits = record.first == first and 1 <= count <= meta.shard_episodes and first + count <= meta.episodes
        if not (fits and len(record.policies) == count and set(record.sha256) == set(ARRAYS)):
            raise UserError(f"{file}: the line of {record.folder} does not fit meta.json")
    shards = [record.shard for record in records]
    if shards != sorted(set(shards)):
        raise UserError(f"{file}: shards are listed twice or out of order")
    return records


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
            raise UserError(f"{file} is damaged: {' '.join(str(error).split())[:200]}") from error
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


def _read(file: Path) -> bytes:
    try:
        return read_bounded(file)
    except ValueError as error:
        raise UserError(f"{file} is damaged: {error}") from error


def _parse(data: bytes, file: Path) -> dict[str, Any]:
    try:
        return parse_object(data)
    except ValueError as error:
        raise UserError(f"{file} is damaged: {error}") from error


def _checked(cls: type[T], values: dict[str, Any], file: Path) -> T:
    try:
        return from_mapping(cls, values)
    except UserError as error:
        raise UserError(f"{file}: {error}") from error
