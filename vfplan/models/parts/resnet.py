"""Residual blocks that halve, keep or double the sides of maps (He et al., 2016), and what is made of them.

Groups of channels are normalised (Wu and He, 2018), never batches: rows must not depend on each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from vfplan.models.precision import Reducible

Change = Literal["half", "same", "double"]


def normalised(width: int, side: int) -> nn.GroupNorm:
    """For maps of `width` channels; where they are single pixels, a group of few channels would tell nothing."""
    return nn.GroupNorm(1 if side == 1 else math.gcd(8, width), width)


class ResNetBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut.

    Args:
        inputs, outputs: channels.
        side: of the maps that come out.
        change: what becomes of the sides.
    """

    def __init__(self, inputs: int, outputs: int, side: int, change: Change = "same") -> None:
        super().__init__()
        stride = 2 if change == "half" else 1
        self.doubles = change == "double"
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.norms = nn.ModuleList(normalised(outputs, side) for _ in range(2))
        plain = change != "half" and inputs == outputs
        self.shortcut = nn.Identity() if plain else nn.Conv2d(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, inputs, y, x) to (B, outputs, side, side)."""
        x = functional.interpolate(x, scale_factor=2) if self.doubles else x
        h = functional.leaky_relu(self.norms[0](self.first(x)), 0.2)
        return functional.leaky_relu(self.norms[1](self.second(h)) + self.shortcut(x), 0.2)


class ResNetEncoder(Reducible):
    """An image to maps at every scale: a block that halves for each.

    Args:
        channels: of the image.
        widths: channels at each scale, finest first.
        image_size: pixels per side.
    """

    def __init__(self, channels: int, widths: Sequence[int], image_size: int) -> None:
        super().__init__()
        inputs = (channels, *widths)
        self.scales = nn.ModuleList(
            ResNetBlock(inputs[i], width, image_size >> (i + 1), "half") for i, width in enumerate(widths)
        )

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """The maps (B, width, y, x) of images (B, C, Y, X), finest first."""
        h, maps = images, []
        with self.autocast(images):
            for scale in self.scales:
                h = scale(h)
                maps.append(h.to(images.dtype))
        return tuple(maps)


class ResNetDecoder(Reducible):
    """A vector to an image, or whatever else there is to say of each pixel: a block that doubles for each scale.

    The last one is a transposed convolution alone, for blocks at full size would cost more than all others.

    Args:
        code: elements of the vector.
        widths: channels at each scale, finest first.
        outputs: channels.
        image_size: pixels per side.
    """

    def __init__(self, code: int, widths: Sequence[int], outputs: int, image_size: int) -> None:
        super().__init__()
        self.side = image_size >> len(widths)
        self.first = nn.Linear(code, widths[-1] * self.side**2)
        scales = range(len(widths) - 1, 0, -1)
        blocks = (ResNetBlock(widths[i], widths[i - 1], image_size >> i, "double") for i in scales)
        self.scales = nn.Sequential(*blocks)
        self.last = nn.ConvTranspose2d(widths[0], outputs, 4, 2, 1)

    def forward(self, codes: Tensor) -> Tensor:
        """(B, outputs, Y, X) of codes (B, code)."""
        with self.autocast(codes):
            found: Tensor = self.last(self.scales(self.first(codes).unflatten(1, (-1, self.side, self.side))))
        return found.to(codes.dtype)
