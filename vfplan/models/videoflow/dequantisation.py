"""From uint8 frames to the real-valued images a density can be put on: where in its bin each value is placed."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, silu

from vfplan.flows.initialisation import start_at_zero
from vfplan.models.videoflow.distributions import LOG_SQRT_2PI
from vfplan.pixels import dequantise

START_STD = 1 / 32
"""Of a bin: how far from its middle a value is placed at the start of training.

The narrower, the more nearly is a logit-normal normal, and the less is lost because a copy has another shape.
"""


class UniformDequantiser(nn.Module):
    """u ~ U[0, 1): the bound of Theis, van den Oord and Bethge (2016)."""

    def forward(self, frame: Tensor, previous: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """An image (B, C, Y, X) in [-0.5, 0.5) of uint8 frame (B, C, Y, X), and log q(u) = 0 (B,)."""
        uniform = torch.rand(frame.shape, generator=rng, device=frame.device)
        return dequantise(frame, uniform), uniform.new_zeros(len(frame))


class LearnedDequantiser(nn.Module):
    """Variational dequantisation: u ~ q(u | frame, frame before), a logit-normal whose place and width are learned.

    log p(frame) >= E_q[log p(frame + u) - log q(u)] for every q (Ho et al., Flow++, 2019, eq. 12); uniform u is one
    choice. Where nothing moves, a narrow q lets a normal density cost nothing, while under uniform u it pays a quarter
    of a bit for not being a box. q may look at anything but the future; what was last seen tells what will be
    surprising.
    """

    LOG_SCALE_RANGE = (-6.0, 0.9)
    """Of the normal distribution before the sigmoid; at 0.55 u is about uniform."""

    def __init__(self, channels: int, *, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(3 * channels, width, 3, padding=1)
        self.head = nn.Conv2d(width, 2 * channels, 3, padding=1)
        start_at_zero(self.head)
        low, high = self.LOG_SCALE_RANGE
        start = math.log(4 * START_STD)  # the slope of the sigmoid in its middle is a quarter
        assert self.head.bias is not None
        nn.init.constant_(self.head.bias[:channels], math.log((start - low) / (high - start)) - 3.0)

    def forward(self, frame: Tensor, previous: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """An image (B, C, Y, X) in [-0.5, 0.5) of uint8 frame (B, C, Y, X), given the one before, and log q(u) (B,)."""
        dtype = self.head.weight.dtype
        return self.place(frame, previous, torch.randn(frame.shape, generator=rng, device=frame.device, dtype=dtype))

    def place(self, frame: Tensor, previous: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """The image, and log q(u), that standard-normal noise (B, C, Y, X) selects."""
        image = dequantise(frame).to(noise.dtype)
        change = image - dequantise(previous).to(noise.dtype)
        # The third view saturates within a few grey levels: it tells still from moving pixels.
        seen = torch.cat([image, 4 * change, (64 * change.abs()).clamp(max=1)], dim=1)
        raw, centre = self.head(silu(self.first(seen))).chunk(2, dim=1)
        low, high = self.LOG_SCALE_RANGE
        log_scale = low + (high - low) * torch.sigmoid(raw + 3.0)
        logit = 2.0 * torch.tanh(centre / 2.0) + log_scale.exp() * noise
        # d sigmoid(v) / dv = sigmoid(v) sigmoid(-v)
        log_q = -0.5 * noise.square() - LOG_SQRT_2PI - log_scale - logsigmoid(logit) - logsigmoid(-logit)
        # frame + u must not round up to the next grey level: the spacing of float32 at 255 is 2^-16.
        u = torch.sigmoid(logit).clamp(2.0**-16, 1 - 2.0**-15)
        return dequantise(frame, u), log_q.flatten(1).sum(1)
