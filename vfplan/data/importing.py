"""Data of other projects as stores: looked through first, then written whole or not at all."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from vfplan.checks import within
from vfplan.data import formats
from vfplan.data.episode import Episode
from vfplan.data.filling import Filled
from vfplan.data.formats.base import ReadConfig, Source
from vfplan.data.publishing import NewStoreConfig, publish_store
from vfplan.data.records import FORMAT_VERSION, StoreMeta
from vfplan.errors import BadSourceError
from vfplan.execution.executor import Report
from vfplan.execution.processes import WorkersDiedError, run_units
from vfplan.output.folder import file_sha256
from vfplan.output.progress import Bar
from vfplan.output.staging import require_new

PATIENCE = 30.0
"""Seconds without an episode after which a file is taken to hang its library."""


@dataclass(frozen=True, kw_only=True)
class ImportConfig(NewStoreConfig):
    """What to import; the comments in `configs/stores/import.yaml` say what each key is."""

    source: str
    format: str
    camera: str = ""
    action_scale: tuple[float, ...] = within((), 1e-9, 1e9)
    image_size: int = within(0, 0, 4096)

    @property
    def folder(self) -> Path:
        """Where the store goes."""
        return Path(self.out or Path("data", Path(self.source).stem))

    @property
    def reading(self) -> ReadConfig:
        """How the data become episodes."""
        return ReadConfig(self.camera, self.action_scale, self.image_size)


def import_store(config: ImportConfig) -> tuple[Filled, StoreMeta]:
    """Write a store of the data at `config.source`. Raises UserError; nothing is written of what cannot be read."""
    require_new(config.folder)
    formats.named(config.format, reads=True)
    source = look_through(config)
    meta = describe(source, config.shard_episodes)
    meta.description["imported"]["sha256"] = fingerprint(source.files)
    return publish_store(config.folder, meta, functools.partial(_episodes, source), config.workers), meta


def look_through(config: ImportConfig) -> Source:
    """Read all of the data that is small, in a process of its own: a damaged file may well crash its library."""
    work = functools.partial(_look_through, config)
    try:
        with Bar(desc="looking through", unit="episode") as bar:
            (source,) = run_units(work, [0], 1, bar.update, patience=PATIENCE, max_deaths=0)
    except WorkersDiedError as error:
        raise BadSourceError(f"{config.source} crashes what reads {config.format}: it is damaged ({error})") from error
    return source


def describe(source: Source, shard_episodes: int) -> StoreMeta:
    """All that decides about the bytes of the store."""
    origin = source.origin
    return StoreMeta(
        version=FORMAT_VERSION,
        env=origin.env,
        episodes=len(source.lengths),
        shard_episodes=shard_episodes,
        length=max(origin.length, *source.lengths),
        seed=origin.seed,
        policy=origin.policy,
        description=origin.description,
        versions=origin.versions,
    )


def fingerprint(files: Iterable[Path]) -> str:
    """SHA-256 over those of some files."""
    return hashlib.sha256("".join(map(file_sha256, files)).encode()).hexdigest()


def _look_through(config: ImportConfig, unit: int, report: Report) -> Source:
    return formats.read(config.format, Path(config.source), config.reading, report)


def _episodes(source: Source, indices: range) -> Iterator[Episode]:
    """The episodes of these numbers, read in a worker process."""
    return source.episodes(indices)
