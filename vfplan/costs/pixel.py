"""Plain distances to the goal image, pixel by pixel: the baselines."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vfplan.checks import require_ranges, within
from vfplan.costs.base import CostConfig, Goal, contrast, over_time
from vfplan.pixels import chroma


@dataclass(frozen=True)
class PixelConfig(CostConfig):
    """Settings of `Pixel`."""

    name: str = "pixel"
    final_weight: float = within(5.0, 1e-6, 1e6)
    """Weight of the last step; the others have 1."""

    def __post_init__(self) -> None:
        require_ranges(self)


class Pixel:
    """Plain squared RGB distance to the goal image, hand and all: the baseline of pixel planning (Ebert et al., 2018).

    Normalised by the contrast of the goal image.
    """

    def __init__(self, config: PixelConfig) -> None:
        self.config = config

    def __call__(self, frames: Tensor, actions: Tensor, goal: Goal) -> Tensor:
        """Costs (E, N) of frames (E, N, T, C, Y, X)."""
        return _relative_square(frames, goal.images, self.config.final_weight)


@dataclass(frozen=True)
class ChromaConfig(CostConfig):
    """Settings of `Chroma`."""

    name: str = "chroma"
    final_weight: float = within(5.0, 1e-6, 1e6)
    """Weight of the last step; the others have 1."""

    def __post_init__(self) -> None:
        require_ranges(self)


class Chroma:
    """Squared distance of colour minus its grey, so that nothing grey counts: neither a grey hand nor shadows."""

    def __init__(self, config: ChromaConfig) -> None:
        self.config = config

    def __call__(self, frames: Tensor, actions: Tensor, goal: Goal) -> Tensor:
        """Costs (E, N) of frames (E, N, T, C, Y, X)."""
        return _relative_square(chroma(frames), chroma(goal.images), self.config.final_weight)


def _relative_square(seen: Tensor, target: Tensor, final_weight: float) -> Tensor:
    distance = (seen - target[:, None, None]).square().mean(dim=(3, 4, 5)) / contrast(target)[:, None, None]
    return over_time(distance, final_weight)
