"""Visual Foresight's cost: how far a designated pixel is expected to be from where it should be.

After Ebert et al., "Visual Foresight: Model-Based Deep Reinforcement Learning for Vision-Based Robotic Control", 2018.
Their model moves pixels and says where each one goes; a model that only gives frames needs the pixel to be found again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from vfplan.checks import require_ranges, within
from vfplan.costs.base import CostConfig, Goal, over_time, strength
from vfplan.costs.blur import pyramid
from vfplan.errors import UserError
from vfplan.pixels import chroma

Pattern = Literal["current", "goal"]
PATTERNS = ("current", "goal")


@dataclass(frozen=True)
class DesignatedPixelConfig(CostConfig):
    """Settings of `DesignatedPixel`."""

    name: str = "designated_pixel"
    pattern: Pattern = "goal"
    """Around which designated pixel the pattern is taken that is looked for in imagined frames: that of the current
    frame (it is followed by correlation) or that of the goal image (frames are registered to the goal)."""
    pixel: tuple[float, float] | None = within(None, 0, 1)
    """(column, row), in fractions of the image, of the designated pixel in the image that the pattern is taken from;
    None designates the most colourful place that differs between current frame and goal."""
    patch: int = within(5, 1, 1023)
    """Width of the pattern in pixels of the imagined frames, odd."""
    softness: float = within(0.05, 1e-6, 1e6)
    """Mismatch, relative to the pattern's own energy, that makes a place e times less likely."""
    final_weight: float = within(10.0, 1e-6, 1e6)
    """Weight of the last step; the others have 1."""

    def __post_init__(self) -> None:
        if self.pattern not in PATTERNS:
            raise ValueError(f"pattern must be one of {', '.join(PATTERNS)}; got {self.pattern!r}")
        if self.patch % 2 == 0:
            raise ValueError(f"patch must be odd; got {self.patch}")
        require_ranges(self)


class DesignatedPixel:
    """Expected distance, in image widths, between where the designated pixel is found and where it should be.

    The pattern around the pixel, in chroma, is compared with every place of a frame; the mismatches make a probability
    map. What cannot be found is equally likely everywhere, so that losing an object gains little. A frame of the same
    appearance as the goal is the minimum, which is above zero by the width of the map.
    """

    def __init__(self, config: DesignatedPixelConfig) -> None:
        self.config = config

    def __call__(self, frames: Tensor, actions: Tensor, goal: Goal) -> Tensor:
        """Costs (E, N) of frames (E, N, T, C, Y, X). Raises UserError if the current frame is needed and unknown."""
        problems, candidates, steps = frames.shape[:3]
        target = chroma(goal.images)
        current = self._current(goal)
        place = self._designated(current, target)
        pattern = _cut(target if self.config.pattern == "goal" else current, place, self.config.patch)
        if self.config.pattern == "current":
            place = _peak(self._found(target[:, None], pattern))[:, 0]
        found = self._found(chroma(frames).flatten(1, 2), pattern)
        distance = (found * _distance_map(place, found)[:, None]).sum(dim=(-2, -1))
        return over_time(distance.reshape(problems, candidates, steps), self.config.final_weight)

    def _current(self, goal: Goal) -> Tensor:
        """Chroma (E, C, Y, X) of the current frame, at the scale of the goal."""
        if goal.current is None:
            raise UserError("cost designated_pixel needs the current frame, and the caller gave none")
        rows, columns = goal.images.shape[-2:]
        return chroma(functional.adaptive_avg_pool2d(goal.current, (rows, columns)))

    def _designated(self, current: Tensor, target: Tensor) -> Tensor:
        """The designated pixel (E, 2), an integer (row, column), in the image that the pattern is taken from."""
        own = target if self.config.pattern == "goal" else current
        rows, columns = own.shape[-2:]
        if self.config.pixel is not None:
            across, down = self.config.pixel
            cell = (min(int(down * rows), rows - 1), min(int(across * columns), columns - 1))
            # Filled, not copied from a list: a copy from the host would make the device wait.
            return torch.stack([torch.full((len(own),), index, device=own.device) for index in cell], dim=-1)
        changed = strength(target - current)
        # Where nothing has changed, as with the object in its place, the most colourful place remains.
        salient = strength(own) * (changed + 0.05 * changed.amax(dim=(-2, -1), keepdim=True) + 1e-6)
        return _peak(pyramid(salient, (1 / columns,))[0])

    def _found(self, images: Tensor, pattern: Tensor) -> Tensor:
        """Probability (E, M, Y, X) that the pattern (E, C, h, h) is at each place of images (E, M, C, Y, X)."""
        problems, count, channels = images.shape[:3]
        margin = (self.config.patch // 2,) * 4
        padded = functional.pad(images.flatten(0, 1), margin, mode="replicate").unflatten(0, (problems, count))
        grouped = padded.transpose(0, 1).flatten(1, 2)
        products = functional.conv2d(grouped, pattern, groups=problems).transpose(0, 1)
        energy = functional.conv2d(
            grouped.square(), pattern.new_ones(problems, channels, *pattern.shape[-2:]), groups=problems
        ).transpose(0, 1)
        own = pattern.square().sum(dim=(1, 2, 3)).clamp_min(1e-6)[:, None, None, None]
        mismatch = (energy - 2 * products + own) / own
        return (-mismatch / self.config.softness).flatten(-2).softmax(dim=-1).view_as(mismatch)


def _cut(images: Tensor, place: Tensor, width: int) -> Tensor:
    """The patches (E, C, width, width) of images (E, C, Y, X) around (row, column) `place` (E, 2)."""
    padded = functional.pad(images, (width // 2,) * 4, mode="replicate")
    patches = padded.unfold(-2, width, 1).unfold(-2, width, 1)
    return patches[torch.arange(len(images), device=images.device), :, place[:, 0], place[:, 1]]


def _peak(maps: Tensor) -> Tensor:
    """(row, column) (..., 2) of the largest value of maps (..., Y, X)."""
    index = maps.flatten(-2).argmax(dim=-1)
    return torch.stack([index // maps.shape[-1], index % maps.shape[-1]], dim=-1)


def _distance_map(place: Tensor, like: Tensor) -> Tensor:
    """Distance (E, Y, X), in image widths, of every pixel from (row, column) `place` (E, 2)."""
    rows, columns = like.shape[-2:]
    down = torch.arange(rows, device=like.device) - place[:, 0, None]
    across = torch.arange(columns, device=like.device) - place[:, 1, None]
    return torch.hypot(down[:, :, None].to(like.dtype), across[:, None, :].to(like.dtype)) / columns
