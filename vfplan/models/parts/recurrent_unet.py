"""A U-Net whose every scale remembers: convolutions down and up again, each followed by convolutional LSTMs.

The trunk of CDNA and SV2P (Finn et al., 2016; Babaeizadeh et al., 2018) and of SAVP (Lee et al., 2018).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from vfplan.models.parts.halving import halved
from vfplan.models.parts.planes import joined
from vfplan.models.parts.recurrent import ConvLstm
from vfplan.models.precision import Reducible


@dataclass(frozen=True)
class Scale:
    """A convolution of `width` channels, and `layers` of ConvLSTM of `hidden` channels after it."""

    width: int
    hidden: int = 0
    layers: int = 0

    @property
    def outputs(self) -> int:
        """Channels of what comes out."""
        return self.hidden if self.layers else self.width


class RecurrentUNet(nn.Module):
    """Maps of an image at the coarsest scale and at that of the image, from all that was seen so far.

    Args:
        inputs: channels of the image.
        down: the scales on the way down, each half of the one before.
        up: as many on the way up; each but the first also sees what the scale of its size had to say on the way down.
        image_size: pixels per side.
        everywhere: elements of a vector that all convolutions and memories are shown.
        coarsest: channels of maps that the memory of the coarsest scale is shown.
    """

    def __init__(
        self,
        inputs: int,
        down: Sequence[Scale],
        up: Sequence[Scale],
        image_size: int,
        *,
        everywhere: int = 0,
        coarsest: int = 0,
    ) -> None:
        super().__init__()
        self.code, self.width = down[-1].outputs, up[-1].outputs
        self.side = halved(image_size, len(down), f"{len(down)} times")
        seen = [inputs, *(scale.outputs for scale in down)]
        told = [0] * (len(down) - 1) + [coarsest]
        self.down = nn.ModuleList(
            _Block(seen[i] + everywhere, scale, everywhere + told[i], image_size >> (i + 1))
            for i, scale in enumerate(down)
        )
        below = [self.code, *(scale.outputs for scale in up[:-1])]
        skips = [0, *reversed(seen[1:-1])]
        self.up = nn.ModuleList(
            _Block(below[i] + skips[i] + everywhere, scale, everywhere, self.side << (i + 1), doubles=True)
            for i, scale in enumerate(up)
        )

    def start(self, rows: int) -> tuple[Tensor, ...]:
        """The carries before anything is seen, one for each scale, finest first on the way down."""
        return tuple(cast(_Block, block).start(rows) for block in (*self.down, *self.up))

    def forward(
        self, image: Tensor, everywhere: Tensor, carries: tuple[Tensor, ...], coarsest: tuple[Tensor, ...] = ()
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """See one more image.

        Args:
            image: (B, inputs, Y, X).
            everywhere: (B, everywhere).
            carries: of the step before.
            coarsest: (B, coarsest, y, x), if there are any.

        Returns:
            The maps (B, code, y, x) and (B, width, Y, X), and the carries.
        """
        h, skips, after = image, [], list(carries)
        for index, block in enumerate(self.down):
            told = coarsest if block is self.down[-1] else ()
            h, after[index] = block(h, everywhere, carries[index], told)
            skips.append(h)
        code = skips.pop()
        for index, block in enumerate(self.up, start=len(self.down)):
            h, after[index] = block(h, everywhere, carries[index])
            h = torch.cat([h, skips.pop()], dim=1) if skips else h
        return code, h, tuple(after)


class _Block(Reducible):
    """Half or twice the maps, and what is remembered of them.

    Args:
        inputs: channels of what it is given, with the vector that is shown everywhere.
        scale: what it has.
        told: channels that its memory sees besides those of its convolution.
        side: of the maps that come out.
        doubles: whether these are larger.
    """

    def __init__(self, inputs: int, scale: Scale, told: int, side: int, *, doubles: bool = False) -> None:
        super().__init__()
        self.doubles = doubles
        self.layer = nn.Conv2d(inputs, scale.width, 3, 1 if doubles else 2, 1)
        # Over all channels and places: a scale may have a single place.
        self.norm = nn.GroupNorm(1, scale.width)
        self.memory = (
            ConvLstm(scale.width + told, scale.hidden, scale.layers, side=side, kernel=5) if scale.layers else None
        )

    def start(self, rows: int) -> Tensor:
        """The carry before anything is seen; of no elements for a scale that remembers nothing."""
        return self.memory.start(rows) if self.memory else self.layer.weight.new_zeros(rows, 0)

    def forward(
        self, x: Tensor, everywhere: Tensor, carry: Tensor, told: tuple[Tensor, ...] = ()
    ) -> tuple[Tensor, Tensor]:
        """The maps after x, and the carry."""
        if self.doubles:
            x = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        with self.autocast(x):
            found = self.layer(joined(x, everywhere))
        h = self.norm(found.to(x.dtype)).relu()
        if self.memory is None:
            return h, carry
        y, carry = self.memory(joined(h, everywhere, *told), carry)
        return y, carry
