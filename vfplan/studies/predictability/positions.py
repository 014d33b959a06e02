"""Where hand and objects are in many episodes, run on worker processes without drawing an image."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vfplan.errors import UserError
from vfplan.execution.executor import Report
from vfplan.execution.processes import run_units

if TYPE_CHECKING:
    from envs.base import EnvConfig

Floats = NDArray[np.float32]

CHUNK = 25  # episodes that a worker process runs at a time


@dataclass(frozen=True)
class Positions:
    """N episodes of T actions; places are in m (of Push-T: pixels)."""

    hand: Floats
    """(N, T+1, 2); (N, T+1, 0) where the environment does not tell."""
    objects: Floats
    """(N, T+1, O, 2), their centres."""
    actions: Floats
    """(N, T, A) in [-1, 1]."""

    @classmethod
    def joined(cls, parts: list[Positions]) -> Positions:
        """The episodes of several, in order."""
        return cls(
            np.concatenate([part.hand for part in parts]),
            np.concatenate([part.objects for part in parts]),
            np.concatenate([part.actions for part in parts]),
        )

    def take(self, episodes: slice) -> Positions:
        """Only some of the episodes."""
        return Positions(self.hand[episodes], self.objects[episodes], self.actions[episodes])


@dataclass(frozen=True)
class Source:
    """What episodes come from: each depends on this and its number alone."""

    env: EnvConfig
    policy: str
    seed: int
    hold: Mapping[int, float]
    """Places in an action, and the values that they have whatever the policy says."""

    def episodes(self, numbers: range, report: Report = lambda: None) -> Positions:
        """Run the episodes of these numbers; `report` is called after each."""
        import envs
        from envs import policies

        env = envs.world(self.env).build(images=False)
        policy = policies.Held(policies.make(self.policy), self.hold)
        parts = []
        try:
            for number in numbers:
                _, infos, actions = policies.run_episode(env, policy, self.seed, number, self.env.length)
                hand, objects = zip(*map(places, infos), strict=True)
                count = self.env.length + 1
                still = np.zeros((count - 1 - len(actions), actions.shape[1]), np.float32)
                acted = np.concatenate([actions, still])[None]
                parts.append(Positions(_rows(hand, count), _rows(objects, count), acted))
                report()
        finally:
            env.close()
        return Positions.joined(parts)


def collect(
    source: Source, episodes: int, workers: int, progress: Callable[[int], Any], *, patience: float = 0
) -> Positions:
    """The first `episodes` of a source, whatever the number of processes (0: one for each core).

    A process without an episode for `patience` seconds is taken to hang, and ended; 0 waits for ever.
    """
    units = range(-(-episodes // CHUNK))
    work = functools.partial(_chunk, source, episodes)
    count = min(workers or os.cpu_count() or 1, len(units))
    found = dict(run_units(work, units, count, progress, patience=patience))
    return Positions.joined([found[unit] for unit in units])


def places(info: Mapping[str, Any]) -> tuple[Any, Any]:
    """The hand (2,) or (0,) and the objects (O, 2) in what an environment says of itself.

    Raises:
        UserError: if that has no objects; a pushing environment and Push-T have.
    """
    if np.size(info.get("object_xy", ())):
        return np.asarray(info.get("hand_xyz", ()))[:2], np.asarray(info["object_xy"])
    if "block_pose" in info:
        return np.asarray(info["pos_agent"]), np.asarray(info["block_pose"])[None, :2]
    found = ", ".join(sorted(map(str, info))) or "nothing"
    raise UserError(f"expected positions of objects: info['object_xy'] (O, 2) or ['block_pose']; found {found}")


def is_in_pixels(env: EnvConfig) -> bool:
    """Whether positions are in pixels (Push-T) instead of m.

    Raises:
        UserError: if the environment cannot be built, or does not tell where its objects are.
    """
    import envs

    try:
        built = envs.world(env).build(images=False)
        _, info = built.reset(seed=0)
        built.close()
    except ValueError as error:
        raise UserError(str(error)) from error
    try:
        places(info)
    except UserError as error:
        raise UserError(f"{envs.world(env).arguments} does not tell where objects are: {error}") from error
    return "object_xy" not in info


def _chunk(source: Source, episodes: int, unit: int, report: Report) -> tuple[int, Positions]:
    """The episodes of one unit of work, in a worker process."""
    return unit, source.episodes(range(unit * CHUNK, min((unit + 1) * CHUNK, episodes)), report)


def _rows(values: Sequence[Any], count: int) -> Floats:
    """One episode (1, T+1, ...); where it ended early everything stays where it was."""
    return np.stack([*values, *[values[-1]] * (count - len(values))])[None].astype(np.float32)
