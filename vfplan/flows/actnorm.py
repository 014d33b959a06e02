"""Activation normalisation: a shift and a scale per channel, set once from data and trained from there."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from vfplan.flows.bijection import Bijection

# Multiplies every learned log-scale of a channel, and with it the learning rate (Glow's reference code, 2018).
LOG_SCALE_GAIN = 3.0
# Added to the standard deviation of the data, so that a constant channel gets a finite scale.
EPSILON = 1e-6
# The largest scale that initialisation can give, and as a bound on training the loosest that it never runs into.
MAX_LOG_SCALE = -math.log(EPSILON)


class ActNorm(Bijection):
    """y = (x + b) exp(3 l), one b and l per channel (Kingma and Dhariwal, Glow, 2018, section 3.1).

    `initialise` sets b and l so that a given batch comes out with mean 0 and standard deviation 1; it is a step of its
    own and never happens within `forward`, which is the identity before it. |3 l| is cut at ln 1e6 = 13.8, so that no
    parameters make the scale zero or infinite.

    Args:
        shape: (C,) to normalise (B, C, Y, X), or (T, C) for (B, T, C, Y, X) with separate parameters per time step.
    """

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(*shape, 1, 1))
        self.log_scale = nn.Parameter(torch.zeros(*shape, 1, 1))
        self.initialised: Tensor
        self.register_buffer("initialised", torch.tensor(False))

    @torch.no_grad()
    def initialise(self, x: Tensor) -> None:
        """Set shift and scale, in place, from a batch x (B, *shape, Y, X); does nothing if that was done before."""
        if self.initialised:
            return
        over = (0, -2, -1)
        self.bias.copy_(-x.mean(over, keepdim=True)[0])
        deviation = (x + self.bias).square().mean(over, keepdim=True)[0].sqrt()
        self.log_scale.copy_(-(deviation + EPSILON).log() / LOG_SCALE_GAIN)
        self.initialised.fill_(True)

    def _total_log_scale(self) -> Tensor:
        return (LOG_SCALE_GAIN * self.log_scale).clamp(-MAX_LOG_SCALE, MAX_LOG_SCALE)

    def _log_det(self, x: Tensor) -> Tensor:
        return (x.shape[-2] * x.shape[-1] * self._total_log_scale().sum()).expand(x.shape[0])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map x (B, *shape, Y, X) to y of the same shape and log|dy/dx| (B,)."""
        return (x + self.bias) * self._total_log_scale().exp(), self._log_det(x)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Map y (B, *shape, Y, X) to x of the same shape and log|dx/dy| (B,)."""
        return y * (-self._total_log_scale()).exp() - self.bias, -self._log_det(y)
