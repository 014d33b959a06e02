"""Unit-variance Gaussian noise over action sequences: white, or correlated in time. On the generator's device."""

from __future__ import annotations

import torch
from torch import Tensor


def white(shape: tuple[int, ...], rng: torch.Generator, *, dtype: torch.dtype = torch.float32) -> Tensor:
    """Independent standard normal values of `shape`."""
    return torch.randn(shape, generator=rng, device=rng.device, dtype=dtype)


def power_law(
    shape: tuple[int, ...], beta: float, *, rng: torch.Generator, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Noise (..., T, A) whose power along T falls as 1 / frequency**beta: 0 is white, 2 is a random walk's spectrum.

    Every value has mean 0 and variance 1 whatever beta is. White noise is filtered in the Fourier domain (Timmer and
    Koenig 1995) over 2T steps and cut to T: what a Fourier filter makes is periodic, and uncut the last action of a
    plan would be correlated with the first as strongly as with its neighbour.
    """
    if beta == 0:
        return white(shape, rng, dtype=dtype)
    *batch, steps, action_dim = shape
    period = 2 * steps
    frequency = torch.fft.fftfreq(period, device=rng.device, dtype=dtype).abs()
    # The mean of a period, frequency 0, would have infinite power: it gets that of the slowest wave.
    power = frequency.clamp(min=1 / period) ** -beta
    gain = (power / power.mean()).sqrt()[: steps + 1, None]
    spectrum = torch.fft.rfft(white((*batch, period, action_dim), rng, dtype=dtype), dim=-2)
    return torch.fft.irfft(spectrum * gain, n=period, dim=-2)[..., :steps, :].contiguous()
