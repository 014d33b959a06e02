"""One level of a multi-scale flow: an image becomes a coarser image and a latent of what the coarser one lacks."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from vfplan.flows.bijection import Bijection, Chain
from vfplan.flows.conv1x1 import Conv1x1
from vfplan.flows.coupling import AffineCoupling
from vfplan.flows.haar import Haar


class Level(nn.Module, ABC):
    """An invertible map from an image to a latent and a coarser image; the top level leaves no coarser image."""

    latent_channels: int
    coarse_channels: int
    """0 at the top."""

    @abstractmethod
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
        """Split x (B, C, Y, X) into latent (B, c, y, x), coarser image (B, u, y, x) or None, and log-det (B,)."""

    @abstractmethod
    def inverse(self, latent: Tensor, coarse: Tensor | None) -> Tensor:
        """Join latent (B, c, y, x) and coarser image to x (B, C, Y, X)."""

    @abstractmethod
    def coarsen(self, x: Tensor) -> Tensor:
        """The coarser image alone."""


class HaarLevel(Level):
    """Haar squeeze, then `steps` of [1x1 convolution, affine coupling] on the detail channels only.

    The coarse band passes unmixed. Hence the input of the next level is the area average of this one's input (times
    two), whatever the flow steps learn: the coarser levels alone are an exact marginal of the whole model.
    """

    def __init__(self, channels: int, *, steps: int, width: int) -> None:
        super().__init__()
        self.latent_channels, self.coarse_channels = 3 * channels, channels
        self.haar = Haar()
        layers: list[Bijection] = []
        for _ in range(steps):
            layers += [Conv1x1(self.latent_channels), AffineCoupling(self.latent_channels, width=width)]
        self.steps = Chain(layers)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Split x (B, C, Y, X) into latent (B, 3C, Y/2, X/2) and coarse image (B, C, Y/2, X/2); log-det (B,)."""
        bands, _ = self.haar(x)
        latent, log_det = self.steps(bands[:, self.coarse_channels :])
        return latent, bands[:, : self.coarse_channels], log_det

    def inverse(self, latent: Tensor, coarse: Tensor | None) -> Tensor:
        """Join latent (B, 3C, Y/2, X/2) and coarse image (B, C, Y/2, X/2) to x (B, C, Y, X)."""
        assert coarse is not None
        details, _ = self.steps.inverse(latent)
        return self.haar.inverse(torch.cat([coarse, details], dim=1))[0]

    def coarsen(self, x: Tensor) -> Tensor:
        """The coarse image (B, C, Y/2, X/2) alone: twice the 2x2 average of x (B, C, Y, X)."""
        return 2.0 * nn.functional.avg_pool2d(x, 2)


class TopLevel(Level):
    """The coarsest image is its own latent."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.latent_channels, self.coarse_channels = channels, 0

    def forward(self, x: Tensor) -> tuple[Tensor, None, Tensor]:
        """X itself (B, C, Y, X), nothing coarser, and a zero log-det (B,)."""
        return x, None, x.new_zeros(len(x))

    def inverse(self, latent: Tensor, coarse: Tensor | None) -> Tensor:
        """The latent itself."""
        return latent

    def coarsen(self, x: Tensor) -> Tensor:
        """There is nothing coarser."""
        raise ValueError("the top level has no coarser image")
