"""Orthonormal 2x2 Haar squeeze: space to channels, with the local average kept apart."""

from __future__ import annotations

import torch
from torch import Tensor

from vfplan.flows.bijection import Bijection


class Haar(Bijection):
    """One level of the 2-D Haar transform, (B, C, Y, X) -> (B, 4C, Y/2, X/2).

    The first C output channels are the coarse band, twice the 2x2 average of each input channel; the other 3C are the
    horizontal, vertical and diagonal details. The transform is orthonormal, so its log-determinant is zero and white
    noise stays white noise. (Haar 1910; as a flow: Yu, Derpanis and Brubaker, "Wavelet Flow", 2020.)

    Raises:
        ValueError: if Y or X is odd.
    """

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map x (B, C, Y, X) to bands (B, 4C, Y/2, X/2) and a zero log-determinant (B,)."""
        batch, channels, rows, columns = x.shape
        if rows % 2 or columns % 2:
            raise ValueError(f"Haar expects an even image size; got {rows}x{columns}")
        cells = x.reshape(batch, channels, rows // 2, 2, columns // 2, 2)
        a, b, c, d = cells[..., 0, :, 0], cells[..., 0, :, 1], cells[..., 1, :, 0], cells[..., 1, :, 1]
        return _mix(a, b, c, d), x.new_zeros(batch)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Map bands (B, 4C, Y/2, X/2) to x (B, C, Y, X) and a zero log-determinant (B,)."""
        batch, bands, rows, columns = y.shape
        channels = bands // 4
        corners = _mix(*y.split(channels, dim=1)).reshape(batch, 2, 2, channels, rows, columns)
        x = corners.permute(0, 3, 4, 1, 5, 2).reshape(batch, channels, 2 * rows, 2 * columns)
        return x, y.new_zeros(batch)


def _mix(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    # The 4x4 Hadamard matrix over two is symmetric and orthogonal: its own inverse.
    top, bottom, left, right = a + b, c + d, a - b, c - d
    return torch.cat([top + bottom, left + right, top - bottom, left - right], dim=1) * 0.5
