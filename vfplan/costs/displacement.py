"""How far each hue has to travel to where the goal has it: a distance with a slope at every range."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from vfplan.checks import require_ranges, within
from vfplan.costs.base import CostConfig, Goal, over_time
from vfplan.costs.hand import hand_path

AWAY = 0.5
"""How far away, in image widths, a hue is taken to be that was never seen: about as far as an object can be."""

ARRIVED = 0.1
"""Image widths from its goal within which what is out of place calls the hand less and less."""

BEHIND = 0.15
"""Image widths from the middle of what is to be pushed to where the hand is called: on the side away from the goal."""


@dataclass(frozen=True)
class DisplacementConfig(CostConfig):
    """Settings of `Displacement`."""

    name: str = "displacement"
    hues: int = within(12, 3, 360)
    """How many hues are kept apart; each reaches over a sixth of the circle to both sides."""
    faint: float = within(0.02, 0, 0.99)
    """Colour (length of chroma) below it does not count; predictions are never quite grey."""
    lost: float = within(0.1, 1e-6, 1)
    """Share of the goal's mass of a hue below which it is taken to be where it was last."""
    in_place: float = within(0.3, 1e-6, 1e6)
    """Weight of a hue that is in place now, relative to the mean of those that are not."""
    final_weight: float = within(5.0, 1e-6, 1e6)
    """Weight of the last step; the others have 1."""
    reach: float = within(0.1, 0, 1e6)
    """Weight of the distance, in image widths, from the hand to behind what is not yet in place, seen from its goal;
    needs proprioception."""

    def __post_init__(self) -> None:
        require_ranges(self)


class Displacement:
    """Sliced Wasserstein-1 distance, in image widths, between where a frame and where the goal has each hue.

    Masses are compared by their distribution over columns, rows and both diagonals, where optimal transport has a
    closed form (Rabin et al., "Wasserstein Barycenter and Its Application to Texture Mixing", 2011). Each is taken to
    be whole, so that neither an arm before an object nor a prediction that blurs it away makes anything cheaper. What
    has all but vanished is taken to be where it was last seen, before the plan or in it: it may come out on the other
    side. Hues that are out of place
    now weigh the most: one object of many is to be moved, and what the arm hides of the others is noise.
    """

    def __init__(self, config: DisplacementConfig) -> None:
        self.config = config

    def __call__(self, frames: Tensor, actions: Tensor, goal: Goal) -> Tensor:
        """Costs (E, N) of frames (E, N, T, C, Y, X) for actions (E, N, T, A)."""
        target, seen = self._masses(goal.images), self._masses(frames)
        share = self._seen_share(seen, target[:, None, None])
        now, place = self._now(target, goal)
        weight = _importance(target, now, self.config.in_place)[:, None, None]
        travel = _kept(_travel(seen, target[:, None, None]), share, now[:, None])
        distance = (weight * travel).sum(dim=-1)
        if self.config.reach > 0 and goal.hand is not None:
            centre = _kept(_centre(seen), share.unsqueeze(-1), place[:, None])
            start = _behind(centre, _centre(target)[:, None, None])
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

    def _seen_share(self, seen: Tensor, target: Tensor) -> Tensor:
        """How much (..., H) of each hue is seen: 1 from a share `lost` of the goal's mass on, less below it."""
        return (seen.sum(dim=(-2, -1)) / (self.config.lost * _mass(target))).clamp_max(1.0)

    def _now(self, target: Tensor, goal: Goal) -> tuple[Tensor, Tensor]:
        """How far (E, H) each hue is from its goal, and where (E, H, 2) it is, in the newest frame that shows it."""
        far, middle = target.new_full(target.shape[:2], AWAY), target.new_full((*target.shape[:2], 2), 0.5)
        if goal.seen is None:
            return far, middle
        size = goal.seen.shape[-1] // target.shape[-1]
        seen = self._masses(functional.avg_pool3d(goal.seen, (1, size, size)))[:, None]
        share = self._seen_share(seen, target[:, None, None])
        away = _kept(_travel(seen, target[:, None, None]), share, far[:, None])
        place = _kept(_centre(seen), share.unsqueeze(-1), middle[:, None])
        return away[:, 0, -1], place[:, 0, -1]


def _kept(values: Tensor, share: Tensor, before: Tensor) -> Tensor:
    """Values (E, N, T, ...) by the share (E, N, T, ...) that is seen, else what they last were, at first `before`."""
    kept = []
    for value, seen in zip(values.unbind(2), share.unbind(2), strict=True):
        before = torch.lerp(before.expand_as(value), value, seen.expand_as(value))
        kept.append(before)
    return torch.stack(kept, dim=2)


def _importance(target: Tensor, away: Tensor, in_place: float) -> Tensor:
    """Weights (E, H) of the hues, which sum to 1: their mass in the goal, more for those that are far away (E, H)."""
    share = _mass(target) / _mass(target).sum(dim=-1, keepdim=True)
    weight = share * (in_place + away / (share * away).sum(dim=-1, keepdim=True).clamp_min(1e-3))
    return weight / weight.sum(dim=-1, keepdim=True)


def _travel(seen: Tensor, target: Tensor) -> Tensor:
    """Distance (..., H), in image widths, of the masses `seen` (..., H, Y, X) from `target`, both taken to be whole."""
    return _sliced_wasserstein(_normalised(seen), _normalised(target))


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
