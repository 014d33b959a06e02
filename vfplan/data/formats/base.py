"""What readers and writers of other projects' formats have in common: their settings, and what a reader finds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vfplan.checks import MOST_SEED, within
from vfplan.data.episode import Episode
from vfplan.data.store import EpisodeStore
from vfplan.errors import BadSourceError, UserError
from vfplan.output.folder import package_versions

ROUNDING = 1e-6  # a scale as a float32 may be a little more than itself
MOST_FRAMES = 2**30
"""Bytes of the frames of one episode."""


@dataclass(frozen=True)
class ReadConfig:
    """What is taken of the data, and how it becomes episodes."""

    camera: str = ""
    """The name of the frames there; empty: the usual one."""
    action_scale: tuple[float, ...] = within((), 1e-9, 1e9)
    """What each component of an action is divided by; empty: nothing."""
    image_size: int = within(0, 0, 4096)
    """Pixels per side that frames are resized to; 0: as they are, which then must be square."""


@dataclass(frozen=True)
class WriteConfig:
    """What is written, and how."""

    lossy: bool = False
    """Frames as video that is not exactly what was stored."""
    fps: int = within(0, 0, 1000)
    """Frames a second; 0: those of the store, to the nearest whole number."""
    task: str = ""
    """What is done in the episodes, in words."""
    workers: int = within(0, 0, 1024)
    """Processes; 0: one for each core."""


@dataclass(frozen=True)
class Origin:
    """What a store of the episodes says of where they are from; `StoreMeta` says what each is."""

    env: str
    policy: str
    seed: int = within(0, 0, MOST_SEED)
    length: int = within(0, 0, 2**31 - 1)
    """Actions of a full episode; 0: those of the longest."""
    description: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=lambda: package_versions(("vfplan", "numpy")))

    @classmethod
    def of(cls, store: EpisodeStore) -> Origin:
        """What a store says."""
        meta = store.meta
        return cls(meta.env, meta.policy, meta.seed, meta.length, meta.description, meta.versions)


@dataclass(frozen=True)
class OneFile:
    """What a source of a single file says: what was found of it when it was looked through."""

    path: Path
    config: ReadConfig
    origin: Origin
    lengths: tuple[int, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        """All that is read."""
        return (self.path,)


class Source(Protocol):
    """Episodes of somebody else's data, which were looked through; it pickles."""

    @property
    def origin(self) -> Origin:
        """What a store of them says."""

    @property
    def files(self) -> tuple[Path, ...]:
        """All that is read."""

    @property
    def lengths(self) -> tuple[int, ...]:
        """Actions of each episode."""

    def episodes(self, indices: range) -> Iterator[Episode]:
        """Read these. Raises BadSourceError if one cannot be read, or is not what it was."""


def origin_of(recorded: Origin | None, name: str, config: ReadConfig, size: int, **imported: Any) -> Origin:
    """What a store of imported episodes says: what our own export recorded, else little more than the format.

    Args:
        recorded: by our own export; None in the files of others.
        name: of the format.
        config: how episodes are made of the data.
        size: pixels per side of the frames there.
        imported: what else is said of the data.

    Raises:
        UserError: for a scale of actions that are scaled already.
    """
    if recorded and config.action_scale:
        raise UserError("vfplan wrote these data: their actions are scaled already, leave out action_scale=")
    own = recorded or Origin(name, "unknown", description={"name": name, "action_scale": list(config.action_scale)})
    about = {**own.description, "imported": {"format": name, **imported}}
    if config.image_size or "image_size" not in about:
        about["image_size"] = config.image_size or size
    return replace(own, description=about)


def require_frames(shape: tuple[int, ...], config: ReadConfig, where: str) -> None:
    """Raise BadSourceError unless frames (N, Y, X, 3) of one episode can become those of a store."""
    count, height, width, colours = shape
    if colours != 3 or not (1 <= height <= 4096 and 1 <= width <= 4096):
        raise BadSourceError(f"{where}: expected frames of (height, width, 3), found {(height, width, colours)}")
    if height != width and not config.image_size:
        raise BadSourceError(f"{where}: frames are {height} x {width}, not square; give image_size= to resize them")
    if count < 2:
        raise BadSourceError(f"{where}: an episode of {count} frames; expected at least 2")
    if count * height * width * colours > MOST_FRAMES:
        raise BadSourceError(f"{where}: an episode of {count} frames of {height} x {width} is larger than 1 GiB")


class Reach:
    """How far actions go, over all that were looked at."""

    def __init__(self, config: ReadConfig) -> None:
        self._scale, self._largest = config.action_scale, np.zeros(0)

    def add(self, actions: NDArray[Any], where: str) -> None:
        """Look at actions (T, A). Raises BadSourceError if they are not finite, or of another width."""
        width = len(self._scale) or len(self._largest) or actions.shape[1]
        if actions.shape[1] != width:
            raise BadSourceError(f"{where}: actions of {actions.shape[1]} components, expected {width}")
        if not np.isfinite(actions).all():
            raise BadSourceError(f"{where}: actions that are not finite numbers")
        reached = np.abs(actions, dtype=np.float64).max(axis=0, initial=0)
        self._largest = np.maximum(self._largest, reached) if len(self._largest) else reached

    def require_within_scale(self, path: Path) -> None:
        """Raise BadSourceError, with a scale that would do, if actions went beyond theirs."""
        beyond = self._largest > np.array(self._scale or [1.0] * len(self._largest)) * (1 + ROUNDING)
        if beyond.any():
            enough = ",".join(f"{value:.9g}" for value in np.maximum(self._largest, 1e-9))
            raise BadSourceError(f"{path}: actions reach [{enough}]; give action_scale=[{enough}] or larger")


def scaled(actions: NDArray[Any], config: ReadConfig) -> NDArray[np.float32]:
    """Actions (T, A) in [-1, 1]; they were found to be within their scale."""
    if config.action_scale:
        actions = actions.astype(np.float64) / np.array(config.action_scale)
    return np.clip(actions.astype(np.float32), -1, 1)


def resized(frames: NDArray[np.uint8], config: ReadConfig) -> NDArray[np.uint8]:
    """Frames (N, Y, X, 3) of the size that is asked for, by area; as they are if they have it."""
    size = config.image_size or frames.shape[1]
    if frames.shape[1:3] == (size, size):
        return frames
    box = Image.Resampling.BOX
    return np.stack([np.asarray(Image.fromarray(frame).resize((size, size), box)) for frame in frames])
