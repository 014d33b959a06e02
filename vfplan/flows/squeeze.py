"""2x2 space-to-depth: each block of four pixels becomes four channels."""

from __future__ import annotations

from torch import Tensor, nn

from vfplan.flows.bijection import Bijection


class Squeeze(Bijection):
    """Space-to-depth, (B, C, Y, X) -> (B, 4C, Y/2, X/2) (Dinh et al., Real NVP, 2017, section 3.6).

    Pixel (dy, dx) of every 2x2 block of input channel c becomes output channel 4c + 2dy + dx. Values are only moved, so
    the log-determinant is zero.

    Raises:
        ValueError: if Y or X is odd.
    """

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map x (B, C, Y, X) to blocks (B, 4C, Y/2, X/2) and a zero log-determinant (B,)."""
        rows, columns = x.shape[2:]
        if rows % 2 or columns % 2:
            raise ValueError(f"Squeeze expects an even image size; got {rows}x{columns}")
        return nn.functional.pixel_unshuffle(x, 2), x.new_zeros(x.shape[0])

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Map blocks (B, 4C, Y/2, X/2) to x (B, C, Y, X) and a zero log-determinant (B,)."""
        return nn.functional.pixel_shuffle(y, 2), y.new_zeros(y.shape[0])
