"""Stores made of other stores: several as one, and one as two."""

from __future__ import annotations

import functools
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from vfplan.checks import MOST_SEED, within
from vfplan.data.checking import FirstTouch
from vfplan.data.episode import ARRAYS, Episode
from vfplan.data.filling import Filled
from vfplan.data.publishing import NewStoreConfig, publish_store
from vfplan.data.records import StoreMeta, read_meta
from vfplan.data.scenes import scene_differences, version_differences
from vfplan.data.store import EpisodeStore, split_episodes
from vfplan.errors import UserError
from vfplan.output.staging import require_new


@dataclass(frozen=True, kw_only=True)
class MergeConfig(NewStoreConfig):
    """What to merge; the comments in `configs/stores/merge.yaml` say what each key is."""

    data: tuple[str, ...]
    allow_mismatch: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.data) < 2:
            raise ValueError(f"data must be at least two stores, got {len(self.data)}")
        if not self.out:
            raise ValueError("out must be the folder of the new store")


@dataclass(frozen=True, kw_only=True)
class SplitConfig(NewStoreConfig):
    """How to split; the comments in `configs/stores/split.yaml` say what each key is."""

    data: str
    held_out: float = within(0.1, 1e-9, 1e9)
    shuffle: bool = False
    seed: int = within(0, 0, MOST_SEED)

    @property
    def folders(self) -> dict[str, Path]:
        """Where the two stores go."""
        out = self.out or self.data.rstrip("/")
        return {part: Path(f"{out}-{part}") for part in ("train", "held-out")}


def mismatches(stores: Sequence[EpisodeStore]) -> list[str]:
    """A line for each thing in which a store differs from the first that should be equal in one store."""
    first, lines = stores[0], []
    for store in stores[1:]:
        for key, there, here in (*scene_differences(first, store), *version_differences(first, store)):
            lines.append(f"{store.path} has {key}={here}, but {first.path} has {key}={there}")
    return lines


def merge(config: MergeConfig, differing: Sequence[str]) -> tuple[Filled, StoreMeta]:
    """Write one store of several, in their order; `differing` is kept in its description.

    Raises:
        UserError: if their arrays have different shapes, or a shard is damaged.
    """
    require_new(Path(config.out))
    stores = [EpisodeStore.open(path) for path in config.data]
    first = stores[0]
    for store in stores[1:]:
        _require_same_shapes(first, store)
    merged = [{"name": store.path.name, "episodes": len(store), "digest": store.digest} for store in stores]
    description: dict[str, Any] = {**first.meta.description, "merged": merged}
    if differing:
        description["mismatches"] = list(differing)
    meta = replace(
        first.meta,
        episodes=sum(map(len, stores)),
        shard_episodes=config.shard_episodes,
        length=max(store.meta.length for store in stores),
        policy=" + ".join(dict.fromkeys(store.meta.policy for store in stores)),
        description=description,
        versions=_all_versions(stores),
    )
    make = functools.partial(_joined, [str(store.path) for store in stores])
    return publish_store(Path(config.out), meta, make, config.workers), meta


def split(config: SplitConfig) -> Iterator[tuple[Filled, StoreMeta]]:
    """Write two stores of one, first the one to train on. Raises UserError if one is there, or a shard is damaged."""
    store = EpisodeStore.open(config.data)
    parts = split_episodes(len(store), config.held_out)
    order = np.random.default_rng(config.seed).permutation(len(store)) if config.shuffle else np.arange(len(store))
    metas = [_part(config, store, name, len(which)) for name, which in zip(config.folders, parts, strict=True)]
    # A split that was killed between its two stores goes on with the second.
    todo = [each for each in zip(config.folders.values(), metas, parts, strict=True) if read_meta(each[0]) != each[1]]
    if not todo:
        raise UserError(f"{' and '.join(map(str, config.folders.values()))} exist already; choose another out=")
    for folder, _, _ in todo:
        require_new(folder)
    for folder, meta, which in todo:
        make = functools.partial(_picked, str(store.path), order[which].tolist())
        yield publish_store(folder, meta, make, config.workers), meta


def _part(config: SplitConfig, store: EpisodeStore, name: str, episodes: int) -> StoreMeta:
    """What a part of a store says."""
    of = {"part": name, "of": store.digest, "episodes": len(store), "shuffled": config.shuffle, "seed": config.seed}
    description = {**store.meta.description, "split": of}
    return replace(store.meta, episodes=episodes, shard_episodes=config.shard_episodes, description=description)


def _joined(paths: Sequence[str], indices: range) -> Iterator[Episode]:
    """Episodes of several stores, numbered one after the other."""
    checks = [FirstTouch(EpisodeStore.open(path), "stop") for path in paths]
    ends = list(accumulate(len(check.store) for check in checks))
    for index in indices:
        which = bisect_right(ends, index)
        check, number = checks[which], index - (ends[which - 1] if which else 0)
        check(number)
        yield check.store.episode(number)


def _picked(path: str, chosen: Sequence[int], indices: range) -> Iterator[Episode]:
    """The episodes of a store that are chosen."""
    check = FirstTouch(EpisodeStore.open(path), "stop")
    for index in indices:
        check(chosen[index])
        yield check.store.episode(chosen[index])


def _require_same_shapes(first: EpisodeStore, other: EpisodeStore) -> None:
    for name in ARRAYS:
        expected, found = (getattr(store.episode(0), name).shape[1:] for store in (first, other))
        if expected != found:
            raise UserError(f"{other.path} has {name} of shape {found}, {first.path} of {expected}: no one store")


def _all_versions(stores: Sequence[EpisodeStore]) -> dict[str, str]:
    """The version of each package; all of them where they differ."""
    packages = sorted({package for store in stores for package in store.meta.versions})
    found = {package: [store.meta.versions.get(package, "none") for store in stores] for package in packages}
    return {package: " and ".join(dict.fromkeys(versions)) for package, versions in found.items()}
