"""Stores made of other data: whole at their place or not there at all, and gone on with when a maker was killed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from vfplan.checks import require_ranges, within
from vfplan.data.filling import FillConfig, Filled, MakeEpisodes, fill_store
from vfplan.data.records import StoreMeta
from vfplan.output.staging import staged_folder

PATIENCE = 600.0
"""Seconds without an episode after which a worker is taken to hang."""


@dataclass(frozen=True, kw_only=True)
class NewStoreConfig:
    """The keys of every command that makes a store of other data."""

    out: str = ""
    workers: int = within(0, 0, 1024)
    shard_episodes: int = within(128, 1, 100_000)

    def __post_init__(self) -> None:
        require_ranges(self)


def publish_store(path: Path, meta: StoreMeta, make: MakeEpisodes, workers: int) -> Filled:
    """Write a store that is at `path` when it is finished. Raises UserError as `staged_folder` and `make` do."""
    with staged_folder(path, asdict(meta)) as partial:
        filled = fill_store(partial, meta, make, FillConfig(workers=workers, unit_seconds=PATIENCE))
    return replace(filled, store=path)
