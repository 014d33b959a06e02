"""One level of the multi-scale flow: an image becomes a coarser image and a latent of what the coarser one lacks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vfplan.flows.bijection import Bijection, Chain
from vfplan.flows.conv1x1 import Conv1x1
from vfplan.flows.coupling import AffineCoupling
from vfplan.flows.haar import Haar


class Level(nn.Module):
    """Haar squeeze, then `steps` of [1x1 convolution, affine coupling] on the detail channels only.

    The coarse band passes unmixed. Hence the input of the next level is the area average of this one's input (times
    two), whatever the flow steps learn: the coarser levels alone are an exact marginal of the whole model.
    """

    def __init__(self, channels: int, *, steps: int, width: int) -> None:
        super().__init__()
        self.channels = channels
        self.haar = Haar()
        details = 3 * channels
        layers: list[Bijection] = []
        for _ in range(steps):
            layers += [Conv1x1(details), AffineCoupling(details, width=width)]
        self.steps = Chain(layers)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Split x (B, C, Y, X) into latent (B, 3C, Y/2, X/2) and coarse image (B, C, Y/2, X/2); log-det (B,)."""
        bands, _ = self.haar(x)
        latent, log_det = self.steps(bands[:, self.channels :])
        return latent, bands[:, : self.channels], log_det

    def inverse(self, latent: Tensor, coarse: Tensor) -> Tensor:
        """Join latent (B, 3C, Y/2, X/2) and coarse image (B, C, Y/2, X/2) to x (B, C, Y, X)."""
        details, _ = self.steps.inverse(latent)
        return self.haar.inverse(torch.cat([coarse, details], dim=1))[0]

    def coarsen(self, x: Tensor) -> Tensor:
        """The coarse image (B, C, Y/2, X/2) alone: twice the 2x2 average of x (B, C, Y, X)."""
        return 2.0 * nn.functional.avg_pool2d(x, 2)
