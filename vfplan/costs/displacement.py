"""How far colour has to travel to where the goal has it: a distance with a slope at every range."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from vfplan.costs.base import CostConfig, Goal, over_time, require_positive
from vfplan.costs.hand import reach
from vfplan.pixels import chroma

LOST = 0.5
"""How far away, in image widths, colour is taken to be that is nowhere: about as far as an object can be."""


@dataclass(frozen=True)
class DisplacementConfig(CostConfig):
    """Settings of `Displacement`."""

    name: str = "displacement"
    threshold: float = 0.1
    """Colour below this share of the goal's strongest does not count; predictions are never quite grey."""
    final_weight: float = 5.0
    """Weight of the last step; the others have 1."""
    reach: float = 0.1
    """Weight of the distance, in image widths, between the hand and what is not yet in place; needs proprioception."""

    def __post_init__(self) -> None:
        require_positive(final_weight=self.final_weight)
        if self.reach < 0:
            raise ValueError(f"reach must not be negative; got {self.reach}")
        if not 0 <= self.threshold < 1:
            raise ValueError(f"threshold must be from 0 on and below 1; got {self.threshold}")


class Displacement:
    """Sliced Wasserstein-1 distance, in image widths, between the colour of a frame and that of the goal.

    Colours are kept apart: each channel of chroma, above and below grey, is a mass of its own, weighted by how much of
    it the goal has. Masses are compared by their distribution over columns, rows and both diagonals, where optimal
    transport has a closed form (Rabin et al., "Wasserstein Barycenter and Its Application to Texture Mixing", 2011).
    Missing mass costs as if it were `LOST` away, so that a prediction gains nothing by losing an object.
    """

    def __init__(self, config: DisplacementConfig) -> None:
        self.config = config

    def __call__(self, frames: Tensor, actions: Tensor, goal: Goal) -> Tensor:
        """Costs (E, N) of frames (E, N, T, C, Y, X) for actions (E, N, T, A)."""
        colour, shown = chroma(goal.images), chroma(frames)
        floor = self.config.threshold * colour.abs().amax(dim=(1, 2, 3), keepdim=True)
        target, seen = _masses(colour, floor)[:, None, None], _masses(shown, floor[:, None, None])
        wanted, found = (mass.sum(dim=(-2, -1)).clamp_min(1e-6) for mass in (target, seen))
        travel = _sliced_wasserstein(seen / found[..., None, None], target / wanted[..., None, None])
        share = (found / wanted).clamp_max(1.0)
        importance = wanted / wanted.sum(dim=-1, keepdim=True)
        distance = (importance * (share * travel + (1 - share) * LOST)).sum(dim=-1)
        if self.config.reach > 0 and goal.hand is not None:
            distance = distance + self.config.reach * reach(shown, colour, actions, goal)
        return over_time(distance, self.config.final_weight)


def _masses(colour: Tensor, floor: Tensor) -> Tensor:
    """Non-negative masses (..., 2C, Y, X) of chroma (..., C, Y, X): what exceeds `floor` above and below grey."""
    return torch.cat([colour - floor, -colour - floor], dim=-3).relu()


def _sliced_wasserstein(seen: Tensor, target: Tensor) -> Tensor:
    """Distance (...), in image widths, between distributions (..., Y, X), each of mass 1.

    The mean over four directions of |cos| is 2 / pi within 5 %, so that a shift by d costs d within 5 %.
    """
    rows, columns = seen.shape[-2:]
    y = torch.arange(rows, device=seen.device)[:, None].expand(rows, columns)
    x = torch.arange(columns, device=seen.device).expand(rows, columns)
    places = torch.stack([x, y, x + y, x - y + rows]).flatten(1)
    slices = places[:, None] == torch.arange(rows + columns, device=seen.device)[:, None]
    along = (seen - target).flatten(-2) @ slices.flatten(0, 1).to(seen.dtype).T
    gaps = along.unflatten(-1, slices.shape[:2]).cumsum(dim=-1).abs().sum(dim=-1)
    # The diagonals come in steps of a pixel over the square root of two.
    straight, diagonal = gaps.unflatten(-1, (2, 2)).sum(dim=-1).unbind(-1)
    return (straight + math.sqrt(0.5) * diagonal) / 4 / columns * (math.pi / 2)
