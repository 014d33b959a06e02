"""Where a model puts the objects that move, against where they went: an error in cm that tells of control.

The error of whole frames also counts what the hand hides and shows, which is most of what changes and no use to a
planner. N window, T step, O object, C channel, y row, x column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from vfplan.data.store import EpisodeStore
from vfplan.metrics.clips import recorded
from vfplan.metrics.tracking import COLOURED, Tracker, colours_seen
from vfplan.models.base import Context, WorldModel
from vfplan.pixels import unit_from_frames

Floats = NDArray[np.float64]

MOVED = 0.01  # m, from which an object counts as moved


@dataclass(frozen=True)
class Motion:
    """How well the places of the objects that moved were foretold."""

    count: int
    """Objects that moved, over all windows."""
    explained: float
    """1 - squared error / squared displacement, summed over them: 1 is perfect, 0 is what standing still has."""
    centimetres: float
    """Median error."""
    ceiling: float
    """`explained` of the places found in the true frames: what following them loses."""


def motion(foretold: Floats, found: Floats, start: Floats, end: Floats) -> Motion | None:
    """Judge places (..., 2) m: foretold, found in true frames, and the poses at the start and the end.

    An object that is lost, NaN, is taken to be where it started. None if nothing moved.
    """
    moved = np.linalg.norm(end - start, axis=-1) > MOVED
    if not moved.any():
        return None
    back, there = start[moved], end[moved]
    errors = [
        np.linalg.norm(np.where(np.isnan(places[moved]), back, places[moved]) - there, axis=-1)
        for places in (foretold, found)
    ]
    whole = float(np.square(there - back).sum())
    explained, ceiling = (1 - float(np.square(error).sum()) / whole for error in errors)
    return Motion(int(moved.sum()), explained, 100 * float(np.median(errors[0])), ceiling)


@dataclass(frozen=True)
class Yardstick:
    """Windows of held-out episodes whose objects are followed in what a model imagines."""

    context: Context
    actions: Tensor
    """(N, T, A) that follow."""
    downscale: int
    tracker: Tracker
    colours: Tensor
    """(N, O, C)"""
    poses: Floats
    """(N, T + 1, O, 2) m, from the last known frame on."""
    found: Floats
    """(N, T, O, 2) m, places of the objects in the true frames."""

    @classmethod
    def of(
        cls,
        store: EpisodeStore,
        episodes: Sequence[int],
        window: slice,
        past: int,
        downscale: int,
        device: torch.device,
    ) -> Yardstick | None:
        """From the frames `window` of these episodes, `past` of them known; None where no object can be followed."""
        floor = np.asarray(store.meta.description.get("floor_to_pixel", ()), dtype=np.float64)
        chosen = [store.episode(index) for index in episodes]
        poses = np.stack([episode.object_xy[window] for episode in chosen]).astype(np.float64)
        if floor.shape != (3, 3) or poses.shape[2] == 0:
            return None
        frames = np.stack([episode.frames[window] for episode in chosen])
        colours = torch.from_numpy(colours_seen(frames, poses, floor))
        images = _thumbnails(torch.from_numpy(frames[:, past - 1 :]), downscale)
        tracker = Tracker.fit(
            *_each_object(images, colours), poses[:, past - 1 :].reshape(-1, 2), floor, store.image_size
        )
        if tracker.usual < COLOURED:
            return None
        clip = recorded(store, episodes, device, window)
        found = tracker.locate(*_each_object(images[:, 1:], colours))[0].reshape(*poses[:, past:].shape)
        return cls(
            clip.context(past), clip.actions[:, past - 1 :], downscale, tracker, colours, poses[:, past - 1 :], found,
        )  # fmt: skip

    @torch.inference_mode()
    def measure(self, model: WorldModel, horizons: Sequence[int]) -> dict[int, Motion]:
        """How well the model's rollout at temperature 0 foretells motion, after so many steps."""
        noise = model.sample_noise(len(self.actions), max(horizons), None, downscale=self.downscale)
        width = model.action_dim  # 0 for an action-free model
        state = model.encode(replace(self.context, actions=self.context.actions[..., :width]))
        actions = self.actions[:, : max(horizons), :width]
        rollout = model.rollout(state, actions, noise, downscale=self.downscale)
        images = model.decode(rollout)[:, [horizon - 1 for horizon in horizons]].float().cpu()
        places = self.tracker.locate(*_each_object(images, self.colours))[0]
        places = places.reshape(len(images), len(horizons), *self.poses.shape[2:])
        measured = {
            horizon: motion(places[:, index], self.found[:, horizon - 1], self.poses[:, 0], self.poses[:, horizon])
            for index, horizon in enumerate(horizons)
        }
        return {horizon: found for horizon, found in measured.items() if found is not None}


def _thumbnails(frames: Tensor, downscale: int) -> Tensor:
    """Images (N, T, C, y, x) in [0, 1] of frames (N, T, Y, X, C) uint8."""
    images = unit_from_frames(frames.flatten(0, 1).permute(0, 3, 1, 2))
    return functional.avg_pool2d(images, downscale).unflatten(0, frames.shape[:2])


def _each_object(images: Tensor, colours: Tensor) -> tuple[Tensor, Tensor]:
    """Images (N T O, C, y, x) and colours (N T O, C) of every object (N, O, C) in images (N, T, C, y, x)."""
    windows, steps, objects = *images.shape[:2], colours.shape[1]
    many = images[:, :, None].expand(-1, -1, objects, *images.shape[2:])
    return many.flatten(0, 2), colours[:, None].expand(windows, steps, objects, -1).flatten(0, 2)
