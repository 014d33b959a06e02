"""Distance to the goal in the latents of the model's own flow, coarse levels first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from vfplan.checks import require_ranges, within
from vfplan.costs.base import CostConfig, Goal, LatentSpace, contrast, over_time
from vfplan.costs.hand import hand_free
from vfplan.errors import UserError


@dataclass(frozen=True)
class LatentConfig(CostConfig):
    """Settings of `Latent`."""

    needs_latents: ClassVar[bool] = True

    name: str = "latent"
    levels: int = within(1, 1, 12)
    """How many of the coarsest levels are compared; there must be as many at the scale of imagination."""
    mask: bool = False
    """Leave out the latents of a disc where the hand will be; needs proprioception."""
    hand_radius: float = within(0.09, 1e-3, 2)
    """Radius of that disc, in image widths."""
    final_weight: float = within(5.0, 1e-6, 1e6)
    """Weight of the last step; the others have 1."""

    def __post_init__(self) -> None:
        require_ranges(self)


class Latent:
    """Squared distance of latents to those of the goal image, each level normalised by its own contrast.

    In the default model the coarsest latent is the thumbnail itself, and the finer ones are its details; in the model
    of 2019 all are learned features. The hand counts unless it is masked.
    """

    def __init__(self, config: LatentConfig, space: LatentSpace) -> None:
        self.config, self.space = config, space

    def __call__(self, frames: Tensor, actions: Tensor, goal: Goal) -> Tensor:
        """Costs (E, N) of frames (E, N, T, C, Y, X). Raises UserError for more levels than there are."""
        targets = chosen_levels(self.space.latents(goal.images), self.config.levels)
        seen = chosen_levels(self.space.latents(frames.flatten(0, 2)), self.config.levels)
        distances = []
        for level, target in zip(seen, targets, strict=True):
            difference = level.unflatten(0, frames.shape[:3]) - target[:, None, None]
            if self.config.mask:
                rows, columns = difference.shape[-2:]
                difference = hand_free(actions, goal, rows, columns, self.config.hand_radius) * difference
            distances.append(difference.square().mean(dim=(3, 4, 5)) / contrast(target)[:, None, None])
        return over_time(torch.stack(distances).mean(dim=0), self.config.final_weight)


def chosen_levels(levels: list[Tensor], count: int) -> list[Tensor]:
    """The first `count` levels. Raises UserError if there are fewer."""
    if count > len(levels):
        raise UserError(f"cost levels={count}, but at this scale there are {len(levels)}; lower scoring.downscale")
    return levels[:count]
