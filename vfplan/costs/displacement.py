"""How far each hue has to travel to where the goal has it: a distance with a slope at every range."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from vfplan.costs.base import CostConfig, Goal, over_time, require_positive
from vfplan.costs.hand import hand_path

AWAY = 0.5
"""How far away, in image widths, a hue is taken to be that is nowhere: about as far as an object can be."""

ARRIVED = 0.1
"""Image widths from its goal within which what is out of place calls the hand less and less."""

BEHIND = 0.15
"""Image widths from the middle of what is to be pushed to where the hand is called: on the side away from the goal."""


@dataclass(frozen=True)
class DisplacementConfig(CostConfig):
    """Settings of `Displacement`."""

    name: str = "displacement"
    hues: int = 12
    """How many hues are kept apart; each reaches over a sixth of the circle to both sides."""
    faint: float = 0.02
    """Colour (length of chroma) below it does not count; predictions are never quite grey."""
    lost: float = 0.1
    """Share of the goal's mass of a hue below which it counts as lost; above it, fading and hiding change nothing."""
    in_place: float = 0.3
    """Weight of a hue that is in place now, relative to the mean of those that are not."""
    final_weight: float = 5.0
    """Weight of the last step; the others have 1."""
    reach: float = 0.1
    """Weight of the distance, in image widths, from the hand to behind what is not yet in place, seen from its goal;
    needs proprioception."""

    def __post_init__(self) -> None:
        require_positive(final_weight=self.final_weight, in_place=self.in_place, lost=self.lost)
        if self.hues < 3:
            raise ValueError(f"hues must be at least 3; got {self.hues}")
        if self.reach < 0 or not 0 <= self.faint < 1:
            raise ValueError(f"reach and faint must not be negative, faint below 1; got {self.reach} and {self.faint}")


class Displacement:
    """Sliced Wasserstein-1 distance, in image widths, between where a frame and where the goal has each hue.

    Masses are compared by their distribution over columns, rows and both diagonals, where optimal transport has a
    closed form (Rabin et al., "Wasserstein Barycenter and Its Application to Texture Mixing", 2011). Each is taken to
    be whole, so that neither an arm before an object nor a prediction that blurs it away makes anything cheaper; only
    what has all but vanished counts as `AWAY`. Hues that are out of place now weigh the most: one object of many is to
    be moved, and what the arm hides of the others is noise.
    """

    def __init__(self, config: DisplacementConfig) -> None:
        self.config = config

    def __call__(self, frames: Tensor, actions: Tensor, goal: Goal) -> Tensor:
        """Costs (E, N) of frames (E, N, T, C, Y, X) for actions (E, N, T, A)."""
        target, seen = self._masses(goal.images), self._masses(frames)
        weight = self._importance(target, goal)[:, None, None]
        travel = self._travel(seen, target[:, None, None])
        distance = (weight * travel).sum(dim=-1)
        if self.config.reach > 0 and goal.hand is not None:
            start = _behind(_centre(seen), _centre(target)[:, None, None])
            to_hand = (hand_path(actions, goal).unsqueeze(-2) - start).square().sum(dim=-1).add(1e-12).sqrt()
            distance = distance + self.config.reach * (weight * (travel / ARRIVED).clamp_max(1.0) * to_hand).sum(dim=-1)
        return over_time(distance, self.config.final_weight)

    def _masses(self, images: Tensor) -> Tensor:
        """How much (..., H, Y, X) of each hue there is at each pixel of images (..., 3, Y, X)."""
        red, green, blue = images.unbind(dim=-3)
        across, up = (2 * red - green - blue) / math.sqrt(6), (green - blue) / math.sqrt(2)
        strength = (across.square() + up.square() + 1e-12).sqrt()
        angles = torch.arange(self.config.hues, device=images.device) * (2 * math.pi / self.config.hues)
        x, y = across.unsqueeze(-3), up.unsqueeze(-3)
        likeness = (x * angles.cos()[:, None, None] + y * angles.sin()[:, None, None]) / strength.unsqueeze(-3)
        return (strength - self.config.faint).relu().unsqueeze(-3) * (2 * likeness - 1).relu()

    def _travel(self, seen: Tensor, target: Tensor) -> Tensor:
        """Distance (..., H), in image widths, of the masses `seen` (..., H, Y, X) from `target`, up to `AWAY`."""
        left = seen.sum(dim=(-2, -1)) / (self.config.lost * _mass(target))
        travel = _sliced_wasserstein(_normalised(seen), _normalised(target))
        return torch.lerp(torch.full_like(travel, AWAY), travel, left.clamp_max(1.0))

    def _importance(self, target: Tensor, goal: Goal) -> Tensor:
        """Weights (E, H) of the hues, which sum to 1: their mass in the goal, the more the farther they are from it."""
        share = _mass(target) / _mass(target).sum(dim=-1, keepdim=True)
        if goal.current is None:
            return share
        current = functional.avg_pool2d(goal.current, goal.current.shape[-1] // target.shape[-1])
        away = self._travel(self._masses(current), target)
        mean = (share * away).sum(dim=-1, keepdim=True).clamp_min(1e-3)
        weight = share * (self.config.in_place + away / mean)
        return weight / weight.sum(dim=-1, keepdim=True)


def _centre(masses: Tensor) -> Tensor:
    """The centre (..., 2) of masses (..., Y, X), in fractions of the image (column, row)."""
    share, (rows, columns) = _normalised(masses), masses.shape[-2:]
    across = (share.sum(dim=-2) * ((torch.arange(columns, device=masses.device) + 0.5) / columns)).sum(dim=-1)
    down = (share.sum(dim=-1) * ((torch.arange(rows, device=masses.device) + 0.5) / rows)).sum(dim=-1)
    return torch.stack([across, down], dim=-1)


def _behind(place: Tensor, goal: Tensor) -> Tensor:
    """The point (..., 2) from which a push moves what is at `place` (..., 2) towards `goal` (..., 2)."""
    way = goal - place
    return place - BEHIND * way / (way.square().sum(dim=-1, keepdim=True) + 1e-6).sqrt()


def _mass(masses: Tensor) -> Tensor:
    """The sum (...) of masses (..., Y, X), never zero."""
    return masses.sum(dim=(-2, -1)).clamp_min(1e-6)


def _normalised(masses: Tensor) -> Tensor:
    return masses / _mass(masses)[..., None, None]


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
