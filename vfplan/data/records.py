"""What a store says of itself: how it was made, and what each shard holds. Bounded, strict reading."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from vfplan.data.episode import ARRAYS
from vfplan.errors import UserError
from vfplan.output.folder import file_sha256
from vfplan.reading import parse_object, read_bounded
from vfplan.schema import from_mapping

FORMAT_VERSION = 1
SHARD = "shard.json"

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
    lengths: tuple[int, ...] | None = None
    """Actions of each episode, where one ended before its time; None: all are of full length."""

    @property
    def folder(self) -> str:
        """Name of the shard's folder; made from the number, never read from a file."""
        return shard_folder(self.shard)


def shard_folder(shard: int) -> str:
    """Name of a shard's folder."""
    return f"shard-{shard:05d}"


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
    records = [read_record(line, file, meta) for line in lines]
    shards = [record.shard for record in records]
    if shards != sorted(set(shards)):
        raise UserError(f"{file}: shards are listed twice or out of order")
    return records


def read_record(line: bytes, file: Path, meta: StoreMeta) -> ShardRecord:
    """The record in a line of `file`. Raises UserError if it cannot be understood or does not fit the meta."""
    record = _checked(ShardRecord, _parse(line, file), file)
    first, count, lengths = record.shard * meta.shard_episodes, record.count, record.lengths
    fits = record.first == first and 1 <= count <= meta.shard_episodes and first + count <= meta.episodes
    lasts = lengths is None or (len(lengths) == count and min(lengths) >= 1 and max(lengths) <= meta.length)
    if not (fits and lasts and len(record.policies) == count and set(record.sha256) == set(ARRAYS)):
        raise UserError(f"{file}: the line of {record.folder} does not fit meta.json")
    return record


def own_record(folder: Path, meta: StoreMeta) -> ShardRecord | None:
    """What a shard says of itself; None where it says nothing, or something that cannot be."""
    file = folder / SHARD
    try:
        record = read_record(read_bounded(file), file, meta)
    except (OSError, ValueError, UserError):
        return None
    return record if record.folder == folder.name else None


def damages(path: Path, record: ShardRecord) -> Iterator[str]:
    """What is wrong with each file of a shard that is not as it was written; reads them all."""
    episodes = f"episodes {record.first} to {record.first + record.count - 1}"
    for name in ARRAYS:
        file = path / record.folder / f"{name}.npy"
        if not file.is_file():
            yield f"{file} is missing ({episodes})"
        elif file_sha256(file) != record.sha256[name]:
            yield f"{file} is damaged: its SHA-256 changed ({episodes})"


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
