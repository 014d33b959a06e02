"""The couplings of Glow: the second half of the channels is shifted, or scaled too, by a function of the first."""

from __future__ import annotations

import torch
from torch import Tensor

from vfplan.flows.bijection import Bijection
from vfplan.flows.gated_net import Activation, GatedNet

# A fifth of the smallest scale (0.05) that a small, briefly trained model used on frames, samples, noise, or images ten
# times out of range. At the bound one step of the inverse amplifies rounding 100 times: float32 keeps five digits.
MIN_SCALE = 1e-2


class AdditiveCoupling(Bijection):
    """y = x + t on the second half of the channels, t a function of the first half (Dinh et al., NICE, 2015).

    The first channels // 2 channels pass unchanged; t is zero at the start. The inverse cannot amplify errors of the
    half it moves; VideoFlow's settings for sampling use it (Kumar et al., 2020).

    Raises:
        ValueError: if there are fewer than 2 channels or the activation is unknown.
    """

    def __init__(self, channels: int, *, width: int, activation: Activation) -> None:
        super().__init__()
        self.kept = _kept(channels)
        self.net = GatedNet(self.kept, channels - self.kept, width=width, activation=activation)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map x (B, C, Y, X) to y (B, C, Y, X) and a zero log-determinant (B,)."""
        kept, moved = x[:, : self.kept], x[:, self.kept :]
        return torch.cat([kept, moved + self.net(kept[:, None])[:, 0]], dim=1), x.new_zeros(x.shape[0])

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Map y (B, C, Y, X) to x (B, C, Y, X) and a zero log-determinant (B,)."""
        kept, moved = y[:, : self.kept], y[:, self.kept :]
        return torch.cat([kept, moved - self.net(kept[:, None])[:, 0]], dim=1), y.new_zeros(y.shape[0])


class SigmoidCoupling(Bijection):
    """y = (x + t) s on the second half of the channels, t and s functions of the first half (Glow, 2018, section 3.3).

    s = m + (1 - m) sigmoid(h + 2) for a network output h, which is zero at the start: s starts at 0.88 and stays
    between m = `MIN_SCALE` and 1. Glow has m = 0; there s can reach zero on unseen input or samples, and the inverse,
    which divides by it, infinity (Behrmann et al., "Understanding and mitigating exploding inverses", 2021).

    Raises:
        ValueError: if there are fewer than 2 channels or the activation is unknown.
    """

    def __init__(self, channels: int, *, width: int, activation: Activation) -> None:
        super().__init__()
        self.kept = _kept(channels)
        self.net = GatedNet(self.kept, 2 * (channels - self.kept), width=width, activation=activation)

    def _scale_and_shift(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        raw, shift = self.net(kept[:, None])[:, 0].chunk(2, dim=1)
        return MIN_SCALE + (1 - MIN_SCALE) * (raw + 2.0).sigmoid(), shift

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map x (B, C, Y, X) to y (B, C, Y, X) and log|dy/dx| (B,)."""
        kept, moved = x[:, : self.kept], x[:, self.kept :]
        scale, shift = self._scale_and_shift(kept)
        return torch.cat([kept, (moved + shift) * scale], dim=1), scale.log().flatten(1).sum(1)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Map y (B, C, Y, X) to x (B, C, Y, X) and log|dx/dy| (B,)."""
        kept, moved = y[:, : self.kept], y[:, self.kept :]
        scale, shift = self._scale_and_shift(kept)
        return torch.cat([kept, moved / scale - shift], dim=1), -scale.log().flatten(1).sum(1)


def _kept(channels: int) -> int:
    if channels < 2:
        raise ValueError(f"a coupling expects at least 2 channels; got {channels}")
    return channels // 2
