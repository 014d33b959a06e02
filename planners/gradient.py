"""Gradient descent through the model, from several starts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from planners import gaussian
from planners.base import Belief, Score, Scored, cheapest
from planners.descent import descend
from planners.search import SearchPlanner, require, within


@dataclass(frozen=True)
class GradientConfig(gaussian.GaussianConfig):
    """Settings of gradient descent; a step costs about three scorings."""

    samples: int = within(8, 2, 10_000)  # N, starts: the nominal plan, and draws around it
    steps: int = within(5, 1, 100)  # gradient steps
    step_size: float = within(0.4, 1e-6, 10)  # root mean square of the first step, in units of the action; falls to 0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.steps >= 1, f"steps must be at least 1, got {self.steps}")
        require(self.step_size > 0, f"step_size must be above 0, got {self.step_size}")

    @property
    def needs_gradients(self) -> bool:
        """Always."""
        return True


class GradientPlanner(SearchPlanner[GradientConfig]):
    """Descends from N starts side by side, and executes the cheapest plan seen.

    Reference: Bharadhwaj, Xie and Shkurti, Model-Predictive Control via Cross-Entropy and Gradient-Based Optimization,
    2020 (arXiv:2004.08763), whose mix of the two is `refine_steps` of the sampling planners here.
    """

    def propose(self, belief: Belief, iteration: int, rng: torch.Generator) -> Tensor:
        """The nominal plan and N - 1 plans drawn around it, (E, N, T, A)."""
        around = gaussian.draw(belief, self.config.samples - 1, self.config.noise_beta, rng)
        return torch.cat([belief.mean[:, None], around], dim=1)

    def assess(self, score: Score, belief: Belief, plans: Tensor) -> Scored:
        """Each of `plans` (E, N, T, A) at the cheapest it was on its way down."""
        config, moving = self.config, belief.initial_std > 0
        return descend(score, plans, steps=config.steps, step_size=config.step_size, moving=moving)

    def refit(self, belief: Belief, plans: Tensor, costs: Tensor) -> Belief:
        """Make the cheapest plan the nominal one; a problem without an accepted plan keeps its belief."""
        best, cost = cheapest(plans, costs, 1)
        return replace(belief, mean=torch.where(torch.isfinite(cost)[..., None], best[:, 0], belief.mean))
