"""Distance to the goal image under a pyramid of blurs, the hand not counted, with a term that brings the hand near."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from vfplan.checks import require_ranges, within
from vfplan.costs.base import CostConfig, Goal, over_time
from vfplan.costs.blur import pyramid
from vfplan.costs.hand import hand_free, reach
from vfplan.pixels import chroma


@dataclass(frozen=True)
class GoalImageConfig(CostConfig):
    """Settings of `GoalImage`."""

    name: str = "goal_image"
    chroma: bool = True
    """Compare colour minus its grey, so that a grey hand and its shadow do not count."""
    mask: bool = False
    """Leave out a disc where the hand will be, so that no hand counts, whatever its colour; needs proprioception."""
    hand_radius: float = within(0.09, 1e-3, 2)
    """Radius of that disc, in image widths."""
    distance: Literal["squared", "correlation"] = "squared"
    """How blurred images are compared, see `DISTANCES`."""
    blurs: tuple[float, ...] = within((0.0, 0.0625, 0.125, 0.25), 0, 10)
    """Standard deviations of the Gaussian blurs, in image widths; 0 is no blur."""
    final_weight: float = within(5.0, 1e-6, 1e6)
    """Weight of the last step; the others have 1."""
    reach: float = within(0.1, 0, 1e6)
    """Weight of the distance, in image widths, between the hand and what is not yet in place; needs proprioception."""

    def __post_init__(self) -> None:
        if not self.blurs:
            raise ValueError("blurs must be one or more widths")
        if self.distance not in DISTANCES:
            raise ValueError(f"distance must be one of {', '.join(DISTANCES)}; got {self.distance!r}")
        require_ranges(self)


def squared(seen: Tensor, target: Tensor) -> Tensor:
    """Squared distance relative to the goal's own energy: 1 for a vanished object, 2 for one in a wrong place."""
    energy = target.square().sum(dim=(-3, -2, -1)).clamp_min(1e-6)
    return (seen - target).square().sum(dim=(-3, -2, -1)) / energy


def correlation(seen: Tensor, target: Tensor) -> Tensor:
    """One minus the correlation with the goal: 1 for a vanished object and for one in a wrong place alike.

    Relative to the goal's own, so that a faint object in its place gains less than a whole one; but more than the
    goal's colour gains nothing.
    """
    own = target.square().sum(dim=(-3, -2, -1)).clamp_min(1e-6)
    other = seen.square().sum(dim=(-3, -2, -1))
    return 1.0 - (seen * target).sum(dim=(-3, -2, -1)) / (own * torch.maximum(own, other)).sqrt()


DISTANCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"squared": squared, "correlation": correlation}
"""Of images (..., C, Y, X) from targets that broadcast to them, (...): 0 for equal ones."""


class GoalImage:
    """Distance of blurred colour to the goal's, over a pyramid of blurs, plus a small term that brings the hand near.

    Without blur the distance is flat as soon as two small objects no longer overlap; each blur adds slope at its own
    range. Every scale is divided by the goal's own energy at that scale, so that all count alike. What the mask hides
    is taken to be as in the goal.
    """

    def __init__(self, config: GoalImageConfig) -> None:
        self.config = config

    def __call__(self, frames: Tensor, actions: Tensor, goal: Goal) -> Tensor:
        """Costs (E, N) of frames (E, N, T, C, Y, X) for actions (E, N, T, A). Raises UserError, see `hand_free`."""
        config = self.config
        target, seen = self._features(goal.images, frames)
        if config.mask:
            rows, columns = frames.shape[-2:]
            free = hand_free(actions, goal, rows, columns, config.hand_radius)
            seen = target[:, None, None] + free * (seen - target[:, None, None])
        blurred = pyramid(target, config.blurs)[:, :, None, None]
        distance = DISTANCES[config.distance](pyramid(seen, config.blurs), blurred).mean(dim=0)
        if config.reach > 0 and goal.hand is not None:
            distance = distance + config.reach * reach(seen, target, actions, goal)
        return over_time(distance, config.final_weight)

    def _features(self, goal: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        """What is compared of the goal images (E, C, Y, X) and of frames (E, N, T, C, Y, X)."""
        if self.config.chroma:
            return chroma(goal), chroma(frames)
        # The floor is what an image mostly shows: what differs from it has energy.
        floor = goal.flatten(-2).median(dim=-1).values[..., None, None]
        return goal - floor, frames - floor[:, None, None]
