"""What every prior of one level's latent is."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from vfplan.models.videoflow.distributions import LatentDistribution, LatentNoise


class LatentPrior(nn.Module, ABC):
    """p(z_t | past z, coarser images up to time t, actions) of one level."""

    latent_shape: tuple[int, int, int]
    """(c, y, x)."""
    has_choices = False
    """Whether its elements have alternatives, between which noise decides."""
    components = 1
    """Alternatives for the whole latent."""

    @abstractmethod
    def forward(self, past: Tensor, coarse: Tensor | None, actions: Tensor) -> LatentDistribution:
        """The prior of z_t; past is (B, P, c, y, x), coarse (B, P + 1, C, y, x), actions are (B, P, A)."""

    def sample(self, past: Tensor, coarse: Tensor | None, actions: Tensor, noise: LatentNoise) -> Tensor:
        """The latent (B, c, y, x) that standard-normal noise selects from the prior of z_t."""
        distribution: LatentDistribution = self(past, coarse, actions)
        return distribution.transform(noise)

    def zero_noise(self, rows: int, steps: int, device: torch.device) -> LatentNoise:
        """What selects the likeliest at each of `steps` steps."""
        return LatentNoise(torch.zeros(1, device=device).expand(rows, steps, *self.latent_shape))

    def sample_noise(self, rows: int, steps: int, rng: torch.Generator, device: torch.device) -> LatentNoise:
        """Standard-normal noise of `steps` steps."""

        def draw(*shape: int) -> Tensor:
            return torch.randn((rows, steps, *shape), generator=rng, device=device)

        choices = draw(*self.latent_shape) if self.has_choices else None
        component = draw() if self.components > 1 else None
        return LatentNoise(draw(*self.latent_shape), choices, component)
