"""What led from one image to the next: an encoder of both, and of the action between."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vfplan.models.parts.planes import joined
from vfplan.models.precision import Reducible


class PairEncoder(Reducible):
    """Three convolutions, each of which halves the maps.

    Args:
        channels: of an image.
        action_dim: elements of an action.
        width: channels of the finest maps; the coarsest have four times as many.
    """

    def __init__(self, channels: int, action_dim: int, width: int) -> None:
        super().__init__()
        self.outputs = 4 * width
        inputs = (2 * channels + action_dim, width, 2 * width)
        layers = zip(inputs, (width, 2 * width, self.outputs), strict=True)
        self.layers = nn.Sequential(*(_layer(before, after) for before, after in layers))

    def forward(self, before: Tensor, action: Tensor, after: Tensor) -> Tensor:
        """Maps (B, outputs, Y / 8, X / 8) of images (B, C, Y, X) in [0, 1] and an action (B, A)."""
        with self.autocast(before):
            maps: Tensor = self.layers(joined(torch.cat([before, after], dim=1) - 0.5, action))
        return maps.to(before.dtype)


def _layer(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 4, 2, 1), nn.GroupNorm(1, outputs), nn.ReLU())
