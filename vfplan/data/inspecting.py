"""What a store holds, and what is wrong with it: episodes, actions, how often objects move, where it is from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vfplan.checks import within
from vfplan.data.described import action_names, seconds_per_step
from vfplan.data.records import read_manifest, read_meta
from vfplan.data.repairing import differing
from vfplan.data.store import EpisodeStore
from vfplan.errors import UserError, said
from vfplan.output.progress import Bar

BOUND = 1 - 1e-6
"""An action of at least this is at the end of its range."""
SAMPLED = 200
"""Episodes whose frames are looked at."""


@dataclass(frozen=True)
class InspectConfig:
    """What to look at; the comments in `configs/stores/inspect.yaml` say what each key is."""

    data: str
    hashes: bool = True
    moved: float = within(0.001, 0, 1e6)
    out: str = ""


@dataclass(frozen=True)
class ActionStatistics:
    """One component of the actions, over all steps of all episodes."""

    name: str
    mean: float
    std: float
    least: float
    greatest: float
    at_bound: float
    """Share of the steps in which it is -1 or 1."""


@dataclass(frozen=True)
class Inspection:
    """What was found."""

    path: Path
    env: str
    episodes: int
    lengths: tuple[int, int, int]
    """Actions of the shortest, the median and the longest episode."""
    frames: int
    megabytes: float
    shards: int
    image_size: int
    policies: dict[str, int]
    """Episodes of each."""
    actions: list[ActionStatistics]
    objects: int
    moving_steps: float | None
    """Share of the steps in which an object moves; None where positions are not known."""
    moving_episodes: float | None
    changing_steps: float
    """Share of the steps, of a sample of episodes, in which the frame changes at all."""
    renderer: str | None
    action_scale: str
    seconds_per_step: float | None
    versions: dict[str, str]
    digest: str
    wrong: list[str]

    def lines(self) -> Iterator[str]:
        """All of it as text."""
        low, middle, high = self.lengths
        lengths = f"{high}" if low == high else f"{low} to {high} (median {middle})"
        seconds = f", {self.seconds_per_step:g} s a step" if self.seconds_per_step else ""
        yield f"{self.path}: {self.episodes} episodes of {lengths} actions{seconds}"
        yield f"  frames      {self.frames} of {self.image_size} x {self.image_size}, {self.megabytes:.1f} MB"
        yield f"  environment {self.env}, renderer {self.renderer or 'not known'}, action scale {self.action_scale}"
        yield f"  policies    {', '.join(f'{name} {count}' for name, count in self.policies.items())}"
        yield from self._action_lines()
        yield from self._motion_lines()
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        yield f"  versions    {said(versions) or 'none said'}"
        yield f"  SHA-256     {self.digest} of the hashes of {self.shards} shards"
        for line in self.wrong:
            yield f"  wrong       {line}"
        if not self.wrong:
            yield "  wrong       nothing found"

    def _action_lines(self) -> Iterator[str]:
        if not self.actions:
            yield "  actions     none: nobody acts"
        for each in self.actions:
            yield (
                f"  action      {each.name:<10} mean {each.mean:+.3f}, std {each.std:.3f}, {each.least:+.3f} to "
                f"{each.greatest:+.3f}, {each.at_bound:.1%} at -1 or 1"
            )

    def _motion_lines(self) -> Iterator[str]:
        if self.moving_steps is not None:
            yield (
                f"  objects     {self.objects}, one moves in {self.moving_steps:.1%} of the steps and in "
                f"{self.moving_episodes:.1%} of the episodes"
            )
        else:
            yield "  objects     not known"
        yield f"  pictures    change in {self.changing_steps:.1%} of the steps"


def inspect(config: InspectConfig) -> Inspection:
    """Look at a store. Raises UserError if it is none, or cannot be read at all."""
    try:
        store = EpisodeStore.open(config.data)
    except UserError as error:
        raise UserError(f"{error}{_what_is_there(Path(config.data))}") from error
    about, total = store.meta.description, int(store.lengths.sum())
    actions, moves = _actions(store), _moves(store)
    moving = None if moves is None else np.concatenate([each > config.moved for each in moves])
    return Inspection(
        path=store.path,
        env=store.meta.env,
        episodes=len(store),
        lengths=(int(store.lengths.min()), int(np.median(store.lengths)), int(store.lengths.max())),
        frames=total + len(store),
        megabytes=sum(file.stat().st_size for file in store.path.glob("shard-*/*.npy")) / 1e6,
        shards=len(store.records),
        image_size=store.image_size,
        policies=dict(Counter(name for record in store.records for name in record.policies).most_common()),
        actions=[_statistics(name, actions[:, i]) for i, name in enumerate(action_names(store))],
        objects=store.episode(0).object_xy.shape[1],
        moving_steps=None if moving is None else float(moving.mean()),
        moving_episodes=None if moves is None else float(np.mean([(each > config.moved).any() for each in moves])),
        changing_steps=_changing(store),
        renderer=said(str(about["renderer"])) if "renderer" in about else None,
        action_scale=said(str(about.get("action_scale", "not known"))),
        seconds_per_step=seconds_per_step(store),
        versions=store.meta.versions,
        digest=store.digest,
        wrong=[*_wrong_numbers(store, actions), *(differing(store) if config.hashes else ())],
    )


def _actions(store: EpisodeStore) -> NDArray[np.float32]:
    """All actions, (steps, A)."""
    return np.concatenate([store.episode(index).actions for index in range(len(store))])


def _moves(store: EpisodeStore) -> list[NDArray[np.float64]] | None:
    """How far the object that moves most moves in each step of each episode, in m; None where that is not known."""
    if not store.episode(0).object_xy.shape[1]:
        return None
    places = (store.episode(index).object_xy.astype(np.float64) for index in range(len(store)))
    return [np.linalg.norm(np.diff(each, axis=0), axis=-1).max(axis=1) for each in places]


def _changing(store: EpisodeStore) -> float:
    """Share of the steps in which the frame changes, of episodes from all over the store."""
    chosen = np.unique(np.linspace(0, len(store) - 1, SAMPLED).astype(int))
    changes = []
    for index in Bar(chosen, unit="episode"):
        frames = store.episode(int(index)).frames
        changes.append((frames[1:] != frames[:-1]).any(axis=(1, 2, 3)))
    return float(np.concatenate(changes).mean())


def _statistics(name: str, values: NDArray[np.float32]) -> ActionStatistics:
    exact = values.astype(np.float64)
    at_bound = float((np.abs(values) >= BOUND).mean())
    return ActionStatistics(
        name, float(exact.mean()), float(exact.std()), float(exact.min()), float(exact.max()), at_bound
    )


def _wrong_numbers(store: EpisodeStore, actions: NDArray[np.float32]) -> Iterator[str]:
    """Numbers that training would stumble over."""
    if not np.isfinite(actions).all():
        yield f"{int((~np.isfinite(actions)).any(axis=1).sum())} actions are not finite"
    beyond = int((np.abs(actions) > 1 + 1e-6).any(axis=1).sum())
    if beyond:
        yield f"{beyond} actions are outside of [-1, 1]"
    for name in ("hand", "object_xy"):
        bad = sum(not np.isfinite(getattr(store.episode(index), name)).all() for index in range(len(store)))
        if bad:
            yield f"{name} is not finite in {bad} episodes"


def _what_is_there(path: Path) -> str:
    """What can be said of a store that does not open."""
    try:
        meta = read_meta(path)
        if meta is None:
            return ""
        done = sum(record.count for record in read_manifest(path, meta))
    except UserError:
        return ""
    return f" (env={meta.env}, {done} of {meta.episodes} episodes listed; see python -m vfplan.data repair data={path})"
