"""The cross-entropy method: sample around the mean, keep the cheapest, fit a Gaussian to them, repeat."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from planners.base import Belief, cheapest
from planners.sampling import SamplingConfig, SamplingPlanner
from planners.search import require


@dataclass(frozen=True)
class CEMConfig(SamplingConfig):
    """Settings of the cross-entropy method."""

    noise_beta: float = 0.0  # white, as published
    elites: int = 6  # plans the Gaussian is fitted to
    min_std: float = 0.05  # keeps the search alive when the elites agree
    momentum: float = 0.1  # weight of the old mean and std in a refit

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            1 <= self.elites <= self.samples,
            f"elites must be between 1 and samples={self.samples}, got {self.elites}",
        )
        require(self.min_std >= 0, f"min_std must be at least 0, got {self.min_std}")
        require(0 <= self.momentum < 1, f"momentum must be in [0, 1), got {self.momentum}")


class CEM(SamplingPlanner):
    """CEM with a warm start; executes the cheapest plan of the last iteration.

    Reference: Rubinstein and Kroese, The Cross-Entropy Method, 2004; for pushing from pixels, Finn and Levine 2017
    (arXiv:1610.00696) and Ebert et al. 2018 (arXiv:1812.00568).
    """

    def __init__(self, config: CEMConfig) -> None:
        super().__init__(config)
        self.config = config

    def propose(self, belief: Belief, iteration: int, rng: torch.Generator) -> Tensor:
        """N plans drawn from the belief, (E, N, T, A)."""
        return self.sample(belief, self.config.samples, rng)

    def refit(self, belief: Belief, plans: Tensor, costs: Tensor) -> Belief:
        """Move mean and std to those of the accepted elites; a problem without one keeps its belief."""
        elites, elite_costs = cheapest(plans, costs, self.config.elites)
        accepted = torch.isfinite(elite_costs)[:, :, None, None].to(elites.dtype)  # (E, K, 1, 1)
        count = accepted.sum(dim=1)
        weight = accepted / count.clamp(min=1)[:, None]
        mean = (weight * elites).sum(dim=1)
        std = (weight * (elites - mean[:, None]).square()).sum(dim=1).sqrt()
        # A component that started at rest stays at rest.
        floor = belief.initial_std.clamp(max=self.config.min_std)
        step = (1 - self.config.momentum) * count.clamp(max=1)
        return replace(
            belief,
            mean=torch.lerp(belief.mean, mean, step),
            std=torch.maximum(torch.lerp(belief.std, std, step), floor),
        )
