"""The block that networks of pictures are made of."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vfplan.flows.initialisation import start_at_zero


class ResidualBlock(nn.Module):
    """x + conv(silu(film(conv(silu(x))))); the modulation and the last convolution start at zero."""

    def __init__(self, width: int, condition_dim: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.film = nn.Linear(condition_dim, 2 * width)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        start_at_zero(self.film, self.second)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Map x (B, W, Y, X) and condition (B, D) to (B, W, Y, X)."""
        scale, shift = self.film(condition)[:, :, None, None].chunk(2, dim=1)
        h = self.first(nn.functional.silu(x))
        return x + self.second(nn.functional.silu(torch.addcmul(h + shift, h, scale)))
