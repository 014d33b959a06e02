"""What models with latents see, remember, draw and infer: tensors with rows; no network."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from vfplan.models.parts.gaussian import Gaussian
from vfplan.models.parts.rows import Rows


@dataclass(frozen=True)
class Seen(Rows):
    """An image and what the encoder makes of it."""

    image: Tensor
    """(B, C, Y, X) in [0, 1]."""
    code: Tensor
    """(B, g) or (B, g, y, x)."""
    skips: tuple[Tensor, ...] = ()
    """Finest first."""


@dataclass(frozen=True)
class VideoState(Rows):
    """What a model remembers."""

    newest: Seen
    carries: tuple[Tensor, ...]
    """Of its recurrent networks."""
    shown: tuple[Tensor, ...] = ()
    """Whatever else is shown to its decoder."""


@dataclass(frozen=True)
class VideoNoise(Rows):
    """Standard normal noise (B, T, ...) of T steps, for each level of latents, coarsest first."""

    levels: tuple[Tensor, ...]

    def scaled(self, temperature: float) -> VideoNoise:
        """The noise times `temperature`."""
        return self.map(lambda tensor: temperature * tensor)

    def antithetic(self) -> VideoNoise:
        """Twice as many rows: each followed by its negative."""
        return self.map(lambda tensor: torch.stack([tensor, -tensor], dim=1).flatten(0, 1))

    def at(self, step: int) -> tuple[Tensor, ...]:
        """The noise (B, ...) of one step."""
        return tuple(level[:, step] for level in self.levels)


@dataclass(frozen=True)
class Inferred:
    """A step inferred from the frame that it led to: per level, coarsest first, its latent and where it comes from."""

    latents: tuple[Tensor, ...]
    priors: tuple[Gaussian, ...]
    posteriors: tuple[Gaussian, ...]
    features: Tensor
    """What the decoder is given."""
    state: VideoState
    """The memory, in which the frame is not yet."""

    def divergences(self) -> list[Tensor]:
        """The KL divergence (B,) nats of each level."""
        return [q.divergence(p) for q, p in zip(self.posteriors, self.priors, strict=True)]

    def log_ratios(self) -> list[Tensor]:
        """The log-ratio p / q (B,) nats of the latent of each level."""
        levels = zip(self.latents, self.priors, self.posteriors, strict=True)
        return [prior.log_prob(latent) - posterior.log_prob(latent) for latent, prior, posterior in levels]


def carried(state: VideoState, place: int, carry: Tensor) -> VideoState:
    """The memory with another carry at one place."""
    carries = (*state.carries[:place], carry, *state.carries[place + 1 :])
    return replace(state, carries=carries)
