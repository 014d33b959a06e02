"""Predictive sampling: keep the best plan so far, try plans around it, move to the cheapest."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from planners import gaussian
from planners.base import Belief, cheapest
from planners.search import SearchPlanner, require, within


@dataclass(frozen=True)
class ShootingConfig(gaussian.SamplingConfig):
    """Settings of predictive sampling."""

    shrink: float = within(0.8, 1e-6, 1)  # factor on the std after every iteration; 1 keeps it

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 < self.shrink <= 1, f"shrink must be in (0, 1], got {self.shrink}")


class Shooting(SearchPlanner[ShootingConfig]):
    """Predictive sampling: the nominal plan is always candidate 0, and nothing is averaged.

    The published planner has one iteration per plan and a fixed std; several, each narrower, are an addition.

    Reference: Howell et al., Predictive Sampling: Real-time Behaviour Synthesis with MuJoCo, 2022 (arXiv:2212.00541).
    """

    def propose(self, belief: Belief, iteration: int, rng: torch.Generator) -> Tensor:
        """The nominal plan and N - 1 plans drawn around it, (E, N, T, A)."""
        around = gaussian.draw(belief, self.config.samples - 1, self.config.noise_beta, rng)
        return torch.cat([belief.mean[:, None], around], dim=1)

    def refit(self, belief: Belief, plans: Tensor, costs: Tensor) -> Belief:
        """Make the cheapest plan the nominal one; a problem without an accepted plan keeps its belief."""
        best, cost = cheapest(plans, costs, 1)
        accepted = torch.isfinite(cost)[..., None]
        return replace(
            belief,
            mean=torch.where(accepted, best[:, 0], belief.mean),
            std=torch.where(accepted, self.config.shrink * belief.std, belief.std),
        )
