"""Exact log-probabilities of the 256 levels under densities over [0, 1] that are integrated over each level's bin."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

WIDTH = 1 / 256


def normal_mass(frame: Tensor, location: Tensor, log_scale: Tensor) -> Tensor:
    """Log-probability, nats, of each value of a uint8 frame under a normal of this location and log-std."""
    low, high = _edges(frame, location, log_scale)
    # Mirrored into the left half, where the logarithm of the distribution function has all its digits.
    mirrored = low + high > 0
    low, high = torch.where(mirrored, -high, low), torch.where(mirrored, -low, high)
    above, below = torch.special.log_ndtr(high), torch.special.log_ndtr(low)
    return above + _log_one_minus_exp(below - above)


def logistic_mass(frame: Tensor, location: Tensor, log_scale: Tensor) -> Tensor:
    """Log-probability, nats, of each value of a uint8 frame under a logistic of this location and log-scale."""
    low, high = _edges(frame, location, log_scale)
    # sigmoid(high) - sigmoid(low) = sigmoid(high) sigmoid(-low) (1 - exp(low - high))
    return functional.logsigmoid(high) + functional.logsigmoid(-low) + _log_one_minus_exp(low - high)


def laplace_mass(frame: Tensor, location: Tensor, log_scale: Tensor) -> Tensor:
    """Log-probability, nats, of each value of a uint8 frame under a Laplace of this location and log-scale."""
    low, high = _edges(frame, location, log_scale)
    near = torch.minimum(low.abs(), high.abs())
    aside = -near - torch.log(torch.tensor(2.0)).to(near) + _log_one_minus_exp(low - high)
    around = (low <= 0) & (high >= 0)
    # Both branches have gradients: neither may be infinite where the other one is meant.
    inside = 1 - 0.5 * (low.clamp_max(0).exp() + (-high.clamp_min(0)).exp())
    return torch.where(around, inside.clamp_min(torch.finfo(inside.dtype).tiny).log(), aside)


def _edges(frame: Tensor, location: Tensor, log_scale: Tensor) -> tuple[Tensor, Tensor]:
    """Lower and upper end of each value's bin in scales from the location; those of levels 0 and 255 are far away."""
    precision, start = (-log_scale).exp(), frame.to(location) * WIDTH
    low = torch.where(frame == 0, -FAR, (start - location) * precision)
    high = torch.where(frame == 255, FAR, (start + WIDTH - location) * precision)
    return low, high


FAR = 1e4
"""Scales from the location beyond which there is nothing."""


def _log_one_minus_exp(x: Tensor) -> Tensor:
    """log(1 - exp(x)) of x < 0."""
    return (-torch.expm1(x.clamp_max(-1e-12))).log()
