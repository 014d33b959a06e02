"""What a cost is, and what it may know.

E problem, N future per problem, T step, A action, C channel, Y row, X column, L level of a flow. Images are float in
[0, 1], already at the scale at which the planner imagines. Every cost is differentiable with respect to frames and
actions, and no row of the result depends on another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class Goal:
    """What a cost may know besides the imagined frames and the actions they were imagined for."""

    images: Tensor
    """(E, C, Y, X) the goal, in the scale of the imagined frames."""
    hand: Tensor | None = None
    """(E, 2) where the hand is now, from proprioception, in fractions of the image (column, row)."""
    hand_motion: Tensor | None = None
    """(2, 2) what one unit of action (dx, dy) adds to that position."""
    seen: Tensor | None = None
    """(E, S, C, y, x) the frames of the episode so far, newest last, at the scale of the imagined frames or finer."""
    memory: Any = None
    """The model's own summary of the past of E problems; costs only hand it on to a `LatentSpace`."""

    @property
    def current(self) -> Tensor | None:
        """(E, C, y, x) the newest frame."""
        return None if self.seen is None else self.seen[:, -1]

    def take(self, problems: Tensor | slice) -> Goal:
        """The goal of the chosen problems."""
        return Goal(
            images=self.images[problems],
            hand=None if self.hand is None else self.hand[problems],
            hand_motion=self.hand_motion,
            seen=None if self.seen is None else self.seen[problems],
            memory=None if self.memory is None else self.memory.take(problems),
        )


class Cost(Protocol):
    """Scores imagined futures."""

    def __call__(self, frames: Tensor, actions: Tensor, goal: Goal) -> Tensor:
        """Costs (E, N) of frames (E, N, T, C, Y, X) imagined for actions (E, N, T, A); lower is better."""


class LatentSpace(Protocol):
    """What the costs that look into a model need of it."""

    def latents(self, images: Tensor) -> list[Tensor]:
        """The latents (B, c, y, x) of images (B, C, Y, X) in [0, 1], of every level at their scale, coarsest first."""

    def log_density(self, memory: Any, images: Tensor, actions: Tensor, image: Tensor) -> Tensor:
        """Log-density (B, L), nats, of `image` (B, C, Y, X) as the frame after others, per level, coarsest first.

        It follows action T of (B, T, A), after the T - 1 `images` (B, T - 1, C, Y, X), after the past in `memory` (B).
        Up to an additive constant of `image` and level.
        """


@dataclass(frozen=True)
class CostConfig:
    """What the settings of every cost have."""

    needs_latents: ClassVar[bool] = False
    """Whether the cost is made with the `LatentSpace` of the model, too."""

    name: str


def over_time(distance: Tensor, final_weight: float) -> Tensor:
    """Weighted mean over steps of distance (E, N, T): weight 1, the last step `final_weight`."""
    total = distance.sum(dim=-1) + (final_weight - 1.0) * distance[..., -1]
    return total / (distance.shape[-1] + final_weight - 1.0)


def contrast(images: Tensor) -> Tensor:
    """Mean square (E,) of images (E, C, Y, X) around their own mean colour."""
    return (images - images.mean(dim=(-2, -1), keepdim=True)).square().mean(dim=(1, 2, 3)).clamp_min(1e-6)


def strength(images: Tensor) -> Tensor:
    """Length (..., Y, X) of each pixel's colour (..., C, Y, X); its gradient at zero is zero."""
    return torch.linalg.vector_norm(images, dim=-3)
