"""Model-predictive path integral control: the mean moves to the average of the plans, the cheaper the heavier."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from planners import gaussian
from planners.base import Belief, clip
from planners.search import SearchPlanner, require, within


@dataclass(frozen=True)
class MPPIConfig(gaussian.SamplingConfig):
    """Settings of MPPI."""

    temperature: float = within(0.1, 1e-6, 1e6)  # lambda, in stds of the costs: 0.01 takes the best, 10 averages all
    control_cost: float = within(0.0, 0, 1e6)  # 1 weighs plans as in theory, zero actions as the prior; 0 leaves it out

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.temperature > 0, f"temperature must be above 0, got {self.temperature}")
        require(self.control_cost >= 0, f"control_cost must be at least 0, got {self.control_cost}")
        require(
            self.control_cost == 0 or self.noise_beta == 0,
            f"control_cost is known for white noise only: expected noise_beta=0, got {self.noise_beta}",
        )


class MPPI(SearchPlanner[MPPIConfig]):
    """Information-theoretic MPPI with a fixed std; executes the mean, which is never scored itself.

    The weight of a plan is exp(-(S - min S) / (lambda std S)), S its cost and std S the spread of the costs of its
    problem's plans, so that lambda does not depend on the unit of the cost. What the theory adds to S because plans are
    drawn around the mean u and not around zero actions, lambda u Sigma^-1 noise, is a switch, off as in most software.

    Reference: Williams et al., Information-Theoretic Model Predictive Control, 2018 (arXiv:1707.02342).
    """

    def propose(self, belief: Belief, iteration: int, rng: torch.Generator) -> Tensor:
        """N plans drawn from the belief, (E, N, T, A)."""
        return gaussian.draw(belief, self.config.samples, self.config.noise_beta, rng)

    def refit(self, belief: Belief, plans: Tensor, costs: Tensor) -> Belief:
        """Move the mean to the weighted average of the plans; a problem without an accepted plan keeps its belief."""
        exponents = self._exponents(costs)
        if self.config.control_cost > 0:
            exponents = exponents - self.config.control_cost * _prior_exponents(belief, plans)
        mean = (exponents.softmax(dim=1)[..., None, None] * plans).sum(dim=1)
        accepted = torch.isfinite(costs).any(dim=1)[:, None, None]
        return replace(belief, mean=torch.where(accepted, mean, belief.mean))

    def choose(self, belief: Belief, plans: Tensor, costs: Tensor) -> tuple[Tensor, Tensor]:
        """The mean, (E, T, A), and what the plans it was made of cost on average, weighted by `temperature`, (E,)."""
        accepted = torch.isfinite(costs)
        cost = (self._exponents(costs).softmax(dim=1) * torch.where(accepted, costs, 0.0)).sum(dim=1)
        return clip(belief.mean), torch.where(accepted.any(dim=1), cost, torch.inf)

    def _exponents(self, costs: Tensor) -> Tensor:
        """Log-weights (E, N) of `costs` (E, N), up to a constant per problem; -inf where a plan was rejected."""
        accepted = torch.isfinite(costs)
        count = accepted.sum(dim=1, keepdim=True).clamp(min=1)
        excess = torch.where(accepted, costs - costs.amin(dim=1, keepdim=True), 0.0)
        mean = excess.sum(dim=1, keepdim=True) / count
        variance = torch.where(accepted, (excess - mean).square(), 0.0).sum(dim=1, keepdim=True) / count
        spread = variance.sqrt().clamp_min(torch.finfo(costs.dtype).tiny)
        return torch.where(accepted, -excess / (self.config.temperature * spread), -torch.inf)


def _prior_exponents(belief: Belief, plans: Tensor) -> Tensor:
    """U Sigma^-1 noise, (E, N), with u the mean; components at rest do not count."""
    noise = plans - belief.mean[:, None]
    precision = torch.where(belief.std > 0, belief.std.square().reciprocal(), 0.0)
    return ((belief.mean * precision)[:, None] * noise).sum(dim=(2, 3))
