"""Several stores of one scene as training data: how often windows come from each, and what is held out of each."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vfplan.data.checking import FirstTouch, OnCorrupt
from vfplan.data.scenes import scene_differences, version_differences
from vfplan.data.store import EpisodeStore
from vfplan.data.windows import Windows, WindowSampler
from vfplan.errors import UserError

PHYSICS = {"mujoco", "gymnasium"}
"""Packages whose version decides about frames."""


@dataclass(frozen=True)
class Mixture:
    """Stores of one scene. Use `Mixture.open`."""

    stores: tuple[EpisodeStore, ...]
    held_out: int
    """Episodes, the last of each store, that are never trained on."""
    shares: tuple[float, ...]
    """Of the windows, per store; they sum to one."""
    checks: tuple[FirstTouch, ...] = ()
    """One per store, or none: whether its episodes are as they were written."""

    @classmethod
    def open(
        cls,
        paths: Sequence[str | Path],
        shares: Sequence[float] | None,
        held_out: int,
        on_corrupt: OnCorrupt | None = None,
    ) -> "Mixture":
        """Open the stores; without `shares`, all episodes that are trained on count alike.

        With `on_corrupt`, shards are compared with their hashes when they are first used, and it says what then.

        Raises:
            UserError: for a folder that is no store, one of another scene than the first, or one with too few episodes.
        """
        stores = tuple(EpisodeStore.open(path) for path in paths)
        for store in stores[1:]:
            _check_same_scene(stores[0], store)
            _warn_of_versions(stores[0], store)
        kept = [_kept(store, held_out) for store in stores]
        checks = tuple(FirstTouch(store, on_corrupt) for store in stores) if on_corrupt else ()
        return cls(stores, held_out, tuple(shares or (count / sum(kept) for count in kept)), checks)

    @property
    def first(self) -> EpisodeStore:
        """The store that says what the data show, and that validation is on."""
        return self.stores[0]

    @property
    def validation(self) -> list[int]:
        """The episodes of the first store that are validated on, which are whole."""
        held_out = range(len(self.first) - self.held_out, len(self.first))
        return [index for index in held_out if not self.checks or self.checks[0](index)]

    def damaged(self) -> list[str]:
        """What was found to be wrong with shards up to now."""
        return [damage for check in self.checks for damage in check.found.values()]

    def sampler(self, length: int, seed: int, *, lead_in: int = 0) -> "MixedSampler":
        """Windows of `length` frames from what is trained on. Raises UserError if a store's episodes are shorter."""
        checks: Sequence[Callable[[int], bool]] = self.checks or [lambda index: True] * len(self.stores)
        samplers = [
            WindowSampler(store, length, seed, range(_kept(store, self.held_out)), lead_in=lead_in, sound=sound)
            for store, sound in zip(self.stores, checks, strict=True)
        ]
        return MixedSampler(samplers, self.shares, seed)


class MixedSampler:
    """Draws every window of a batch from one of several samplers, from each with its share.

    As theirs, each batch is a function of (seed, step) alone; that of a single sampler is its own.
    """

    def __init__(self, samplers: Sequence[WindowSampler], shares: Sequence[float], seed: int) -> None:
        self._samplers, self._shares, self._seed = samplers, np.array(shares) / sum(shares), seed

    def batch(self, step: int, size: int) -> Windows:
        """The `size` clips of `step`."""
        if len(self._samplers) == 1:
            return self._samplers[0].batch(step, size)
        rng, sources = self._sources(step, size)
        # One generator for all: with one each, stores of equal size would show the same episodes side by side.
        drawn = [sampler.draw(rng, int((sources == i).sum())) for i, sampler in enumerate(self._samplers)]
        # In the order of `sources`, for the first rows of a batch train more of the model than the others.
        order = np.argsort(np.argsort(sources, kind="stable"), kind="stable")
        return Windows(*(np.concatenate(parts)[order] for parts in zip(*drawn, strict=True)))

    def episodes(self, step: int, size: int) -> list[list[int]]:
        """The episodes that the clips of `step` come from, per sampler."""
        if len(self._samplers) == 1:
            return [self._samplers[0].choose(np.random.default_rng((self._seed, step)), size)[0]]
        rng, sources = self._sources(step, size)
        return [sampler.choose(rng, int((sources == i).sum()))[0] for i, sampler in enumerate(self._samplers)]

    def _sources(self, step: int, size: int) -> tuple[np.random.Generator, np.ndarray]:
        """Which sampler each clip comes from, and what they draw on with."""
        rng = np.random.default_rng((self._seed, step))
        return rng, rng.choice(len(self._samplers), size=size, p=self._shares)


def _kept(store: EpisodeStore, held_out: int) -> int:
    """How many episodes, from the first one on, may be trained on."""
    kept = len(store) - held_out
    if kept < 1:
        raise UserError(
            f"the store in {store.path} has {len(store)} episodes; validation_episodes={held_out} "
            "leaves none to train on"
        )
    return kept


def _check_same_scene(first: EpisodeStore, other: EpisodeStore) -> None:
    """Raise UserError, naming it, for the first thing in which two stores differ that their frames show."""
    for key, there, here in scene_differences(first, other):
        raise UserError(f"{other.path} has {key}={here}, but {first.path} has {key}={there}: these are two scenes")


def _warn_of_versions(first: EpisodeStore, other: EpisodeStore) -> None:
    """Say of each package whose version decides about frames that the two stores were made with different ones."""
    for package, before, now in version_differences(first, other):
        if package in PHYSICS:
            print(
                f"warning: {other.path} was made with {package} {now}, "
                f"{first.path} with {before}: the same actions may do something else",
                file=sys.stderr,
                flush=True,
            )
