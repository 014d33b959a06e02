"""Diagonal Gaussians of latents: priors, posteriors, what they have in common, and the head that gives one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from vfplan.models.parts.rows import Rows

LOG_STD_LIMITS = (-5.0, 5.0)
"""Of every latent; the logarithm of a variance is within twice that. Unlimited, it ends in numbers that are none."""


GAIN = 4.0
"""Of a mean's weights at the start: what differs between rows should stand out from the spread of about 1, or latents
are given up before they are of use."""


@dataclass(frozen=True)
class Gaussian(Rows):
    """Independent normal elements."""

    mean: Tensor
    """(B, ...)."""
    log_std: Tensor
    """(B, ...)."""

    @classmethod
    def standard(cls, like: Tensor) -> Gaussian:
        """N(0, 1) in the shape of `like`."""
        return cls(torch.zeros_like(like), torch.zeros_like(like))

    def sample(self, noise: Tensor | None) -> Tensor:
        """What standard normal noise (B, ...) makes of it; the mean without noise."""
        return self.mean if noise is None else self.mean + self.log_std.exp() * noise

    def log_prob(self, values: Tensor) -> Tensor:
        """Log-density (B,) nats of values (B, ...)."""
        away = (values - self.mean) * (-self.log_std).exp()
        return (-0.5 * away.square() - self.log_std - 0.5 * math.log(2 * math.pi)).flatten(1).sum(1)

    def divergence(self, prior: Gaussian) -> Tensor:
        """The KL divergence (B,) nats of the prior from this distribution."""
        log_ratio = prior.log_std - self.log_std
        away = (self.mean - prior.mean) * (-prior.log_std).exp()
        return (log_ratio + 0.5 * ((-2 * log_ratio).exp() + away.square() - 1)).flatten(1).sum(1)


@dataclass(frozen=True)
class Shared(Gaussian):
    """Normal elements of which each of `steps` steps bears an equal part: what they cost, it costs so many times."""

    steps: Tensor
    """(B,)."""

    def log_prob(self, values: Tensor) -> Tensor:
        """A step's part (B,) nats of the log-density of values (B, ...)."""
        return super().log_prob(values) / self.steps

    def divergence(self, prior: Gaussian) -> Tensor:
        """A step's part (B,) nats of the KL divergence of the prior from this distribution."""
        return super().divergence(prior) / self.steps


def at_least(divergence: Tensor, free_nats: float) -> Tensor:
    """Divergences (B,) of which the first `free_nats` cost nothing, and have no gradient."""
    return divergence.clamp_min(free_nats)


class GaussianHead(nn.Module):
    """A Gaussian whose mean and log-std a layer gives.

    Args:
        layer: makes a layer of so many outputs: `functools.partial(nn.Linear, 64)`.
        size: elements, or channels of elements.
    """

    def __init__(self, layer: Callable[[int], nn.Module], size: int) -> None:
        super().__init__()
        self.layer = layer(2 * size)
        nn.init.orthogonal_(cast(Tensor, self.layer.weight)[:size], GAIN)

    def forward(self, x: Tensor) -> Gaussian:
        """The Gaussian (B, size, ...) that features (B, ...) foretell."""
        mean, log_std = self.layer(x).chunk(2, dim=1)
        return Gaussian(mean, log_std.clamp(*LOG_STD_LIMITS))
