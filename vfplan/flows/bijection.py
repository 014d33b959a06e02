"""The contract of every invertible layer, and its composition."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import cast

from torch import Tensor, nn


class Bijection(nn.Module, ABC):
    """An invertible map with a tractable Jacobian determinant.

    `forward` maps data towards noise, `inverse` maps back. Each returns the log-determinant of its own direction, in
    nats, summed over all dimensions of a row: shape (B,), in the dtype of the input.
    """

    @abstractmethod
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map x (B, *s) to y (B, *r) and log|dy/dx| (B,)."""

    @abstractmethod
    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Map y (B, *r) to x (B, *s) and log|dx/dy| (B,)."""


class Chain(Bijection):
    """The composition of bijections, applied in order by `forward` and in reverse order by `inverse`."""

    def __init__(self, layers: Iterable[Bijection]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map x (B, *s) to y (B, *r) and log|dy/dx| (B,)."""
        log_det = x.new_zeros(x.shape[0])
        for layer in self.layers:
            x, change = layer(x)
            log_det = log_det + change
        return x, log_det

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Map y (B, *r) to x (B, *s) and log|dx/dy| (B,)."""
        log_det = y.new_zeros(y.shape[0])
        for layer in reversed(self.layers):
            y, change = cast(Bijection, layer).inverse(y)
            log_det = log_det + change
        return y, log_det
