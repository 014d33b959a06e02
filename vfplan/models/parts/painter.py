"""A decoder without skips: what it paints, it knows from the code alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from vfplan.models.precision import Reducible


class Painter(Reducible):
    """Vectors to pictures, by deconvolutions that double the sides of maps.

    Args:
        code: elements of a vector.
        widths: channels at each scale, finest first.
        outputs: channels of the picture.
        side: of the coarsest maps; that of the picture is 2 to the power of the number of widths times as large.
    """

    def __init__(self, code: int, widths: Sequence[int], outputs: int, side: int) -> None:
        super().__init__()
        channels = (*reversed(widths), outputs)
        layers: list[nn.Module] = [nn.ConvTranspose2d(code, channels[0], side)]
        for before, after in pairwise(channels):
            norm = nn.GroupNorm(math.gcd(8, before), before)
            layers += [norm, nn.LeakyReLU(0.2), nn.ConvTranspose2d(before, after, 4, 2, 1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, code: Tensor) -> Tensor:
        """Pictures (B, outputs, Y, X) of codes (B, code)."""
        with self.autocast(code):
            return self.layers(code[..., None, None]).to(code.dtype)
