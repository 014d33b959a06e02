"""Invertible 1x1 convolution: a learned linear mix of channels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vfplan.flows.bijection import Bijection


class Conv1x1(Bijection):
    """Invertible 1x1 convolution in LU form, y = P L (U + diag(d)) x over channels (Kingma and Dhariwal, Glow, 2018).

    P and the signs of d are fixed at a random rotation; L is unit lower and U strictly upper triangular. |log d| is
    bounded by `max_log_scale`, so that the matrix can neither collapse nor explode.
    """

    def __init__(self, channels: int, *, max_log_scale: float = 2.0) -> None:
        super().__init__()
        rotation = torch.linalg.qr(torch.randn(channels, channels, dtype=torch.float64)).Q
        permutation, lower, upper = torch.linalg.lu(rotation)
        diagonal = upper.diagonal()
        self.max_log_scale = max_log_scale
        self.permutation: Tensor
        self.sign: Tensor
        self.register_buffer("permutation", permutation.float())
        self.register_buffer("sign", diagonal.sign().float())
        self.lower = nn.Parameter(lower.tril(-1).float())
        self.upper = nn.Parameter(upper.triu(1).float())
        bounded = diagonal.abs().log().clamp(-0.99 * max_log_scale, 0.99 * max_log_scale)
        self.raw_log_scale = nn.Parameter((max_log_scale * (bounded / max_log_scale).atanh()).float())

    def _log_scale(self) -> Tensor:
        return self.max_log_scale * (self.raw_log_scale / self.max_log_scale).tanh()

    def _factors(self) -> tuple[Tensor, Tensor]:
        identity = torch.eye(len(self.lower), dtype=self.lower.dtype, device=self.lower.device)
        diagonal = torch.diag(self.sign * self._log_scale().exp())
        return self.lower.tril(-1) + identity, self.upper.triu(1) + diagonal

    def _log_det(self, x: Tensor) -> Tensor:
        return (x.shape[2] * x.shape[3] * self._log_scale().sum()).expand(x.shape[0])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map x (B, C, Y, X) to y (B, C, Y, X) and log|dy/dx| (B,)."""
        lower, upper = self._factors()
        return torch.einsum("ij,bjyx->biyx", self.permutation @ lower @ upper, x), self._log_det(x)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Map y (B, C, Y, X) to x (B, C, Y, X) and log|dx/dy| (B,), by two triangular solves."""
        lower, upper = self._factors()
        mixed = torch.linalg.solve_triangular(lower, self.permutation.T, upper=False, unitriangular=True)
        inverse = torch.linalg.solve_triangular(upper, mixed, upper=True)
        return torch.einsum("ij,bjyx->biyx", inverse, y), -self._log_det(y)
