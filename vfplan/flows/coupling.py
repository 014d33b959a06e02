"""Affine coupling: one half of the channels is shifted and scaled by a function of the other half."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vfplan.flows.bijection import Bijection
from vfplan.flows.initialisation import start_at_zero


class AffineCoupling(Bijection):
    """Affine coupling with a scale bounded on both sides (Dinh et al., Real NVP, 2017).

    The first half of the channels passes unchanged; the second becomes exp(s) * x + t with |s| <= `max_log_scale`.
    An unbounded scale lets samples or unseen input blow up the inverse (Behrmann et al., 2021). The last layer of
    the network is zero at the start, so the coupling starts as the identity.
    """

    def __init__(self, channels: int, *, width: int, max_log_scale: float = 1.0) -> None:
        super().__init__()
        if channels < 2:
            raise ValueError(f"a coupling expects at least 2 channels; got {channels}")
        self.kept = channels // 2
        self.max_log_scale = max_log_scale
        head = nn.Conv2d(width, 2 * (channels - self.kept), 3, padding=1)
        start_at_zero(head)
        self.net = nn.Sequential(
            nn.Conv2d(self.kept, width, 3, padding=1), nn.SiLU(), nn.Conv2d(width, width, 1), nn.SiLU(), head
        )

    def _scale_and_shift(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        raw, shift = self.net(kept).chunk(2, dim=1)
        return self.max_log_scale * (raw / self.max_log_scale).tanh(), shift

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map x (B, C, Y, X) to y (B, C, Y, X) and log|dy/dx| (B,)."""
        kept, moved = x[:, : self.kept], x[:, self.kept :]
        log_scale, shift = self._scale_and_shift(kept)
        return torch.cat([kept, moved * log_scale.exp() + shift], dim=1), log_scale.flatten(1).sum(1)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Map y (B, C, Y, X) to x (B, C, Y, X) and log|dx/dy| (B,)."""
        kept, moved = y[:, : self.kept], y[:, self.kept :]
        log_scale, shift = self._scale_and_shift(kept)
        return torch.cat([kept, (moved - shift) * (-log_scale).exp()], dim=1), -log_scale.flatten(1).sum(1)
