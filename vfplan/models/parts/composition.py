"""Frames composed of the newest one, moved and as it is, of others, and of a painted one; and how that is emitted.

An emission of a location (`sigma`, `laplace`, `gaussian`) is about the composed image. `copy` reads the same shares as
probabilities: of copying each pixel from a place around, by whichever kernel, or of painting it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vfplan.models.parts.emission import CopyOrPaint, Emission, OneScale
from vfplan.models.parts.warp import Mover, composited, place_logits


class Masks(nn.Module):
    """The share that each source has in each pixel.

    Args:
        width: channels of the maps that say so.
        sources: how many there are.
        channels: of each source, if the sources themselves are seen; 0 if not.
        kernel: side of the convolution.
    """

    def __init__(self, width: int, sources: int, *, channels: int = 0, kernel: int = 1) -> None:
        super().__init__()
        self.sees = channels > 0
        self.layer = nn.Conv2d(width + channels * sources, sources, kernel, padding=kernel // 2)

    def forward(self, maps: Tensor, sources: Tensor) -> Tensor:
        """Log-shares (B, M, Y, X) of sources (B, M, C, Y, X), seen with maps (B, width, Y, X); they sum to one."""
        seen = torch.cat([maps, sources.flatten(1, 2)], dim=1) if self.sees else maps
        return self.layer(seen).log_softmax(1)


class Composition(nn.Module):
    """Maps of a U-Net to what an emission is made of.

    Args:
        mover: moves the newest image.
        masks: of the moved images, the newest, others if there are any, and the painted one.
        paint: maps (B, width, Y, X) to logits (B, C, Y, X).
        width: channels of the finest maps.
        emission: of a location, or `copy`.
    """

    def __init__(
        self, mover: Mover, masks: Masks, paint: nn.Module, width: int, channels: int, emission: Emission
    ) -> None:
        super().__init__()
        self.mover, self.masks, self.paint = mover, masks, paint
        self.copies = isinstance(emission, CopyOrPaint)
        # One for each value, where the emission has such.
        self.scales = nn.Conv2d(width, channels, 1) if not isinstance(emission, OneScale) else None

    def sources(self, kernels: Tensor, maps: Tensor, images: tuple[Tensor, ...]) -> Tensor:
        """Images (B, M, C, Y, X): the first of `images` moved, these as they are, and the painted one."""
        still = torch.stack([*images, self.paint(maps).sigmoid()], dim=1)
        return torch.cat([self.mover.moved(images[0], kernels), still], dim=1)

    def forward(self, code: Tensor, maps: Tensor, images: tuple[Tensor, ...]) -> Tensor:
        """What the emission is made of, (B, outputs, Y, X).

        Args:
            code: the coarsest maps (B, c, y, x).
            maps: the finest (B, width, Y, X).
            images: the newest and others (B, C, Y, X), in [0, 1].
        """
        kernels = self.mover.kernels(code, maps)
        sources = self.sources(kernels, maps, images)
        log_shares = self.masks(maps, sources)
        scales = () if self.scales is None else (self.scales(maps),)
        if not self.copies:
            return torch.cat([composited(sources, log_shares) - 0.5, *scales], dim=1)
        near, rest = log_shares.split([self.mover.count + 1, len(images)], dim=1)
        return torch.cat([place_logits(kernels, near), rest, sources[:, -1] - 0.5, *scales, *images[1:]], dim=1)
