"""The cross-entropy method: sample around the mean, keep the cheapest, fit a Gaussian to them, repeat."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from planners import gaussian
from planners.base import Belief
from planners.search import SearchPlanner, within


@dataclass(frozen=True)
class CEMConfig(gaussian.EliteConfig):
    """Settings of the cross-entropy method."""

    noise_beta: float = within(0.0, 0, 10)  # white, as published


class CEM(SearchPlanner[CEMConfig]):
    """CEM with a warm start; executes the cheapest plan of the last iteration.

    Reference: Rubinstein and Kroese, The Cross-Entropy Method, 2004; for pushing from pixels, Finn and Levine 2017
    (arXiv:1610.00696) and Ebert et al. 2018 (arXiv:1812.00568).
    """

    def propose(self, belief: Belief, iteration: int, rng: torch.Generator) -> Tensor:
        """N plans drawn from the belief, (E, N, T, A)."""
        return gaussian.draw(belief, self.config.samples, self.config.noise_beta, rng)

    def refit(self, belief: Belief, plans: Tensor, costs: Tensor) -> Belief:
        """Fit the Gaussian to the elites."""
        return gaussian.fit(belief, plans, costs, self.config)
