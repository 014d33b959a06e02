"""How far imagined frames are from a goal image, in a way that a planner can descend.

E problem, N future per problem, T step, C channel, Y row, X column. Images are float in [0, 1], already at the scale at
which the planner imagines. Costs are dimensionless: 0 at the goal, about 1 while the object is far from its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class Goal:
    """What a cost may know besides the imagined frames."""

    images: Tensor
    """(E, C, Y, X) the goal, in the scale of the imagined frames."""
    hand: Tensor | None = None
    """(E, 2) where the hand is now, from proprioception, in fractions of the image (column, row)."""
    hand_motion: Tensor | None = None
    """(2, 2) what one unit of action (dx, dy) adds to that position."""

    def take(self, problems: Tensor | slice) -> Goal:
        """The goal of the chosen problems."""
        return Goal(self.images[problems], None if self.hand is None else self.hand[problems], self.hand_motion)


class Cost(Protocol):
    """Scores imagined futures."""

    def __call__(self, frames: Tensor, actions: Tensor, goal: Goal) -> Tensor:
        """Costs (E, N) of frames (E, N, T, C, Y, X) imagined for actions (E, N, T, A); lower is better."""


@dataclass(frozen=True)
class GoalImageConfig:
    """Settings of `GoalImage`."""

    name: str = "goal_image"
    chroma: bool = True
    """Compare colour minus its grey, so that a grey hand and its shadow do not count."""
    blurs: tuple[float, ...] = (0.0, 0.0625, 0.125, 0.25)
    """Standard deviations of the Gaussian blurs, in image widths; 0 is no blur."""
    final_weight: float = 5.0
    """Weight of the last step; the others have 1."""
    reach: float = 0.1
    """Weight of the distance, in image widths, between the hand and what is not yet in place; needs proprioception."""

    def __post_init__(self) -> None:
        if not self.blurs or min(self.blurs) < 0:
            raise ValueError(f"blurs must be one or more non-negative widths; got {self.blurs}")
        if self.final_weight <= 0 or self.reach < 0:
            raise ValueError(f"weights must be positive; got final_weight={self.final_weight}, reach={self.reach}")


@dataclass(frozen=True)
class PixelConfig:
    """Settings of `Pixel`."""

    name: str = "pixel"
    final_weight: float = 5.0


class Pixel:
    """Plain squared RGB distance to the goal image, hand and all: the baseline of pixel planning (Ebert et al., 2018).

    Normalised by the contrast of the goal image.
    """

    def __init__(self, config: PixelConfig) -> None:
        self.config = config

    def __call__(self, frames: Tensor, actions: Tensor, goal: Goal) -> Tensor:
        """Costs (E, N) of frames (E, N, T, C, Y, X)."""
        target = goal.images[:, None, None]
        contrast = (goal.images - goal.images.mean(dim=(-2, -1), keepdim=True)).square().mean(dim=(1, 2, 3))
        distance = (frames - target).square().mean(dim=(3, 4, 5)) / contrast[:, None, None].clamp_min(1e-6)
        return _over_time(distance, self.config.final_weight)


class GoalImage:
    """Distance of blurred chroma to the goal's, over a pyramid of blurs, plus a small term that brings the hand near.

    Without blur the distance is flat as soon as two small objects no longer overlap; each blur adds slope at its own
    range. Every scale is divided by the goal's own energy at that scale, so that all count alike.
    """

    def __init__(self, config: GoalImageConfig) -> None:
        self.config = config

    def __call__(self, frames: Tensor, actions: Tensor, goal: Goal) -> Tensor:
        """Costs (E, N) of frames (E, N, T, C, Y, X) for actions (E, N, T, A)."""
        target, seen = self._feature(goal.images), self._feature(frames)
        blurred_target = _pyramid(target, self.config.blurs)
        difference = _pyramid(seen, self.config.blurs) - blurred_target[:, :, None, None]
        energy = blurred_target.square().sum(dim=(-3, -2, -1)).clamp_min(1e-6)
        distance = (difference.square().sum(dim=(-3, -2, -1)) / energy[:, :, None, None]).mean(dim=0)
        if self.config.reach > 0 and goal.hand is not None and goal.hand_motion is not None:
            distance = distance + self.config.reach * _reach(seen, target, actions, goal.hand, goal.hand_motion)
        return _over_time(distance, self.config.final_weight)

    def _feature(self, images: Tensor) -> Tensor:
        return images - images.mean(dim=-3, keepdim=True) if self.config.chroma else images


def _reach(seen: Tensor, target: Tensor, actions: Tensor, hand: Tensor, motion: Tensor) -> Tensor:
    """Mean distance (E, N, T), in image widths, from the hand to the colour that is not yet where the goal has it.

    Falls to zero as that colour falls to none.
    """
    misplaced = seen.norm(dim=-3) * (seen - target[:, None, None]).norm(dim=-3)
    full = (target.norm(dim=-3).square().sum(dim=(-2, -1))).clamp_min(1e-6)[:, None, None]
    rows, columns = misplaced.shape[-2:]
    path = (hand[:, None, None] + torch.cumsum(actions[..., :2] @ motion.T, dim=2)).clamp(0, 1)
    x = (torch.arange(columns, device=seen.device) + 0.5) / columns
    y = (torch.arange(rows, device=seen.device) + 0.5) / rows
    across = (x - path[..., 0, None])[..., None, :].square() + (y - path[..., 1, None])[..., :, None].square()
    return (misplaced * across.sqrt()).sum(dim=(-2, -1)) / full


def _pyramid(images: Tensor, blurs: tuple[float, ...]) -> Tensor:
    """Images (..., C, Y, X) under every blur, (S, ..., C, Y, X)."""
    rows, columns = images.shape[-2:]
    levels = []
    for blur in blurs:
        if blur == 0:
            levels.append(images)
        else:
            levels.append(_gaussian(rows, blur, images) @ images @ _gaussian(columns, blur, images).T)
    return torch.stack(levels)


def _gaussian(size: int, blur: float, like: Tensor) -> Tensor:
    """Matrix (size, size) that blurs with std `blur` * size; rows sum to 1, so that nothing is lost at the border."""
    position = torch.arange(size, device=like.device, dtype=like.dtype)
    weights = (-0.5 * ((position[:, None] - position) / (blur * size)).square()).exp()
    return weights / weights.sum(dim=1, keepdim=True)


def _over_time(distance: Tensor, final_weight: float) -> Tensor:
    """Weighted mean over steps of distance (E, N, T): weight 1, the last step `final_weight`."""
    total = distance.sum(dim=-1) + (final_weight - 1.0) * distance[..., -1]
    return total / (distance.shape[-1] + final_weight - 1.0)


CONFIGS = {"goal_image": GoalImageConfig, "pixel": PixelConfig}


def build_cost(config: GoalImageConfig | PixelConfig) -> Cost:
    """The cost that `config` describes."""
    return GoalImage(config) if isinstance(config, GoalImageConfig) else Pixel(config)
