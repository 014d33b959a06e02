"""Encoders that halve an image scale by scale, and the decoders that mirror them, with skips between.

Two styles: `strided`, a 4x4 convolution of stride 2 per scale (DCGAN: Radford et al., 2016), and `pooled`, several 3x3
convolutions per scale and a maximum over 2x2 (VGG: Simonyan and Zisserman, 2015). Groups of channels are normalised,
never batches: rows must not depend on each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from vfplan.checks import require_ranges, within
from vfplan.models.parts.halving import halved
from vfplan.models.precision import Reducible

Style = Literal["strided", "pooled"]


@dataclass(frozen=True)
class PyramidConfig:
    """The scales of an encoder and its decoder."""

    style: Style = "strided"
    """strided (4x4 convolutions of stride 2) or pooled (3x3 convolutions, maximum over 2x2)."""
    widths: tuple[int, ...] = within((16, 32, 48, 64), 1, 16384)
    """Channels at each scale, finest first; the image is halved as often."""
    blocks: tuple[int, ...] = within((), 1, 64)
    """Convolutions at each scale, if pooled; empty for one each."""

    def __post_init__(self) -> None:
        require_ranges(self)
        if not self.widths:
            raise ValueError("pyramid.widths needs a number of channels for one scale or more")
        if self.blocks and (self.style == "strided" or len(self.blocks) != len(self.widths)):
            raise ValueError(f"pyramid.blocks needs style=pooled and {len(self.widths)} numbers; got {self.blocks}")

    def convolutions(self) -> tuple[int, ...]:
        """How many there are at each scale."""
        return self.blocks or (1,) * len(self.widths)

    def side(self, image_size: int) -> int:
        """Of the coarsest maps. Raises ValueError if the image cannot be halved as often as there are widths."""
        return halved(image_size, len(self.widths), f"for {len(self.widths)} pyramid.widths")


class Encoder(Reducible):
    """An image to its code, and what each scale has to say by the way.

    Args:
        config: the scales.
        channels: of the image.
        code: elements of a vector, or channels of maps.
        side: of the coarsest maps; they become a vector if `flat`.
    """

    def __init__(self, config: PyramidConfig, channels: int, code: int, side: int, *, flat: bool) -> None:
        super().__init__()
        inputs = (channels, *config.widths)
        self.pooled = config.style == "pooled"
        self.scales = nn.ModuleList(
            _convolved(inputs[i], width, width, count)
            if self.pooled
            else _layer(nn.Conv2d(inputs[i], width, 4, 2, 1), width)
            for i, (width, count) in enumerate(zip(config.widths, config.convolutions(), strict=True))
        )
        last = config.widths[-1]
        self.last = nn.Conv2d(last, code, side) if flat else nn.Conv2d(last, code, 3, padding=1)
        self.flat = flat

    def forward(self, images: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Codes (B, code) or (B, code, y, x) within (-1, 1) of images (B, C, Y, X), and the skips, finest first."""
        skips, h = [], images
        with self.autocast(images):
            for scale in self.scales:
                h = scale(h)
                skips.append(h.to(images.dtype))
                h = functional.max_pool2d(h, 2) if self.pooled else h
            code = self.last(h).to(images.dtype).tanh()
        return code.flatten(1) if self.flat else code, tuple(skips)


class Decoder(Reducible):
    """A code and the skips of an encoder to an image, or whatever else there is to say of each pixel.

    Args:
        config, code, side: those of the encoder.
        outputs: channels.
        flat: whether codes are vectors.
    """

    def __init__(self, config: PyramidConfig, outputs: int, code: int, side: int, *, flat: bool) -> None:
        super().__init__()
        widths = config.widths
        self.pooled, self.flat = config.style == "pooled", flat
        opening = nn.ConvTranspose2d(code, widths[-1], side) if flat else nn.Conv2d(code, widths[-1], 3, padding=1)
        self.first = _layer(opening, widths[-1])
        below = (widths[0], *widths[:-1])
        scales: list[nn.Module] = [
            _convolved(2 * width, width, below[i], count)
            if self.pooled
            else _layer(nn.ConvTranspose2d(2 * width, below[i], 4, 2, 1), below[i])
            for i, (width, count) in enumerate(zip(widths, config.convolutions(), strict=True))
        ]
        if not self.pooled:
            scales[0] = nn.ConvTranspose2d(2 * widths[0], outputs, 4, 2, 1)
        self.scales = nn.ModuleList(scales)
        self.last = nn.Conv2d(widths[0], outputs, 3, padding=1) if self.pooled else nn.Identity()

    def forward(self, code: Tensor, skips: Sequence[Tensor]) -> Tensor:
        """(B, outputs, Y, X) of codes (B, code) or (B, code, y, x) and the skips of all scales, finest first."""
        with self.autocast(code):
            h = self.first(code[..., None, None] if self.flat else code)
            for scale, skip in zip(reversed(self.scales), reversed(skips), strict=True):
                h = functional.interpolate(h, scale_factor=2) if self.pooled else h
                h = scale(torch.cat([h, skip.to(h.dtype)], dim=1))
            return self.last(h).to(code.dtype)


def _convolved(inputs: int, width: int, outputs: int, count: int) -> nn.Sequential:
    channels = (inputs, *(width,) * (count - 1), outputs)
    pairs = pairwise(channels)
    return nn.Sequential(*(_layer(nn.Conv2d(before, after, 3, padding=1), after) for before, after in pairs))


def _layer(convolution: nn.Module, width: int) -> nn.Sequential:
    return nn.Sequential(convolution, nn.GroupNorm(math.gcd(8, width), width), nn.LeakyReLU(0.2))
