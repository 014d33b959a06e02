"""Networks that see the pixels before a place in reading order, all of them and no other: PixelCNN without blind spot.

Two streams, as in the Gated PixelCNN (van den Oord et al., 2016): one looks at the rows above, the other along the row.
A single stream of masked 3x3 convolutions would never see what lies far to the right above. Blocks are the residual
multiplicative ones of the Video Pixel Network (Kalchbrenner et al., 2017).

Shapes: B row, C channel, Y row of the picture, X column; W width of a block, 2W between blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from vfplan.models.parts.pixel_heads import PixelHeads

Make = Callable[[int, int], nn.Module]

GAIN = 2.5
"""Of convolutions at the start: two units shrink what enters them tenfold, and would learn ten times as slowly."""


def amplified(conv: nn.Conv2d) -> nn.Conv2d:
    """The convolution, its weights `GAIN` times as large."""
    with torch.no_grad():
        conv.weight.mul_(GAIN)
    return conv


class PaddedConv(nn.Module):
    """A convolution of what is padded on each side (left, right, top, bottom); negative padding cuts off."""

    def __init__(
        self, inside: int, outside: int, kernel: tuple[int, int], padding: tuple[int, int, int, int], dilation: int = 1
    ) -> None:
        super().__init__()
        self.padding = padding
        self.conv = amplified(nn.Conv2d(inside, outside, kernel, dilation=dilation))

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, in, Y, X) to (B, out, Y, X)."""
        return self.conv(pad(x, self.padding))


def around(dilation: int) -> Make:
    """Convolutions that see all 3x3 places."""
    return lambda inside, outside: PaddedConv(inside, outside, (3, 3), (dilation,) * 4, dilation)


def above(dilation: int) -> Make:
    """Convolutions that see no row below."""
    return lambda inside, outside: PaddedConv(inside, outside, (2, 3), (dilation, dilation, dilation, 0), dilation)


def left(dilation: int) -> Make:
    """Convolutions that see their own row alone, and nothing to the right."""
    return lambda inside, outside: PaddedConv(inside, outside, (1, 2), (dilation, 0, 0, 0), dilation)


class MultiplicativeUnit(nn.Module):
    """A gated step without a memory: s1 * tanh(s2 * h + s3 * tanh(u)), gates s and update u convolutions of h."""

    def __init__(self, width: int, make: Make) -> None:
        super().__init__()
        self.gates = make(width, 4 * width)

    def forward(self, h: Tensor) -> Tensor:
        """Map h (B, W, Y, X) to the same shape."""
        out, keep, take, update = self.gates(h).chunk(4, dim=1)
        return out.sigmoid() * (keep.sigmoid() * h + take.sigmoid() * update.tanh()).tanh()


class MultiplicativeBlock(nn.Module):
    """x + conv(unit(unit(conv(x) + extra))), the outer convolutions 1x1."""

    def __init__(self, width: int, make: Make) -> None:
        super().__init__()
        self.enter = amplified(nn.Conv2d(2 * width, width, 1))
        self.units = nn.Sequential(MultiplicativeUnit(width, make), MultiplicativeUnit(width, make))
        self.leave = nn.Conv2d(width, 2 * width, 1)

    def forward(self, x: Tensor, extra: Tensor | None = None) -> Tensor:
        """Map x (B, 2W, Y, X), and extra (B, W, Y, X) if there is any, to (B, 2W, Y, X)."""
        h = self.enter(x)
        return x + self.leave(self.units(h if extra is None else h + extra))


class MaskedTrunk(nn.Module):
    """Features of each place from the pixels before it, and from a condition that may know everything else.

    Args:
        channels: C of the picture.
        width: W.
        dilations: one block of each stream for each.
    """

    def __init__(self, channels: int, width: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.start_above = PaddedConv(channels, 2 * width, (2, 3), (1, 1, 1, 0))
        self.start_left = PaddedConv(channels, 2 * width, (1, 2), (2, -1, 0, 0))
        self.rows = nn.ModuleList(MultiplicativeBlock(width, above(dilation)) for dilation in dilations)
        self.downs = nn.ModuleList(nn.Conv2d(2 * width, width, 1) for _ in dilations)
        self.places = nn.ModuleList(MultiplicativeBlock(width, left(dilation)) for dilation in dilations)

    def forward(self, picture: Tensor, condition: Tensor) -> Tensor:
        """Features (B, 2W, Y, X) for picture (B, C, Y, X) and condition (B, 2W, Y, X)."""
        return self.along(picture, condition, self.above(picture, condition))

    def above(self, picture: Tensor, condition: Tensor) -> list[Tensor]:
        """What each block tells of the rows above each place: (B, W, Y, X)."""
        h, found = self.start_above(picture) + condition, []
        for block, down in zip(self.rows, self.downs, strict=True):
            h = block(h)
            found.append(down(pad(h, (0, 0, 1, -1))))
        return found

    def along(self, picture: Tensor, condition: Tensor, above: Sequence[Tensor]) -> Tensor:
        """Features (B, 2W, Y, X) of each row by itself, given what is above it."""
        h = self.start_left(picture) + condition
        for block, extra in zip(self.places, above, strict=True):
            h = block(h, extra)
        return h


def scaled(frames: Tensor, like: Tensor) -> Tensor:
    """Uint8 frames as pictures in [-1, 1], of the type of `like`."""
    return frames.to(like.dtype) / 127.5 - 1.0


def draw_in_order(trunk: MaskedTrunk, heads: PixelHeads, condition: Tensor, sources: Tensor, noise: Tensor) -> Tensor:
    """Draw a picture (B, C, Y, X) uint8 place by place: Y passes over the rows above and Y X along a row.

    Args:
        trunk: sees what was drawn before.
        heads: draw a pixel from features.
        condition: (B, 2W, Y, X).
        sources: (B, K, C, Y, X) uint8, what each pixel may be a copy of.
        noise: (B, C, Y, X) standard normal; zeros give the median of each value.
    """
    picture = torch.zeros(noise.shape, dtype=torch.uint8, device=noise.device)
    for y in range(noise.shape[-2]):
        seen, row = slice(y + 1), slice(y, y + 1)
        rows = [h[:, :, row] for h in trunk.above(scaled(picture[:, :, seen], noise), condition[:, :, seen])]
        for x in range(noise.shape[-1]):
            past = [h[..., : x + 1] for h in rows]
            h = trunk.along(scaled(picture[:, :, row, : x + 1], noise), condition[:, :, row, : x + 1], past)
            picture[:, :, y, x] = heads.draw(h[:, :, 0, x], sources[..., y, x], noise[:, :, y, x])
    return picture
