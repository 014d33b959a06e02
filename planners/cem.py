"""The cross-entropy method: sample around the mean, keep the cheapest, fit a Gaussian to them, repeat."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from planners.base import Belief, cheapest
from planners.noise import white
from planners.search import PlannerConfig, SearchPlanner, require


@dataclass(frozen=True)
class CEMConfig(PlannerConfig):
    """Settings of the cross-entropy method; stds are in units of the action, whose range is [-1, 1]."""

    samples: int = 32  # N, plans scored per iteration
    iterations: int = 3
    elites: int = 6  # plans the Gaussian is fitted to
    init_std: float = 0.6  # of a cold start, and again after every shift
    min_std: float = 0.05  # keeps the search alive when the elites agree
    momentum: float = 0.1  # weight of the old mean and std in a refit
    action_std: tuple[float, ...] | None = None  # instead of init_std, one per component; 0 leaves that one at rest

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.samples >= 2, f"samples must be at least 2, got {self.samples}")
        require(self.iterations >= 1, f"iterations must be at least 1, got {self.iterations}")
        require(
            1 <= self.elites <= self.samples,
            f"elites must be between 1 and samples={self.samples}, got {self.elites}",
        )
        require(self.init_std > 0, f"init_std must be above 0, got {self.init_std}")
        require(self.min_std >= 0, f"min_std must be at least 0, got {self.min_std}")
        require(0 <= self.momentum < 1, f"momentum must be in [0, 1), got {self.momentum}")
        if self.action_std is not None:
            require(
                len(self.action_std) == self.action_dim,
                f"action_std must have action_dim={self.action_dim} values, got {len(self.action_std)}",
            )
            require(
                min(self.action_std) >= 0 and max(self.action_std) > 0,
                f"action_std must be at least 0 and somewhere above, got {tuple(self.action_std)}",
            )


class CEM(SearchPlanner):
    """Plain CEM with white noise and a warm start; executes the cheapest plan of the last iteration.

    Reference: Rubinstein and Kroese, The Cross-Entropy Method, 2004; for pushing from pixels, Finn and Levine 2017
    (arXiv:1610.00696) and Ebert et al. 2018 (arXiv:1812.00568).
    """

    def __init__(self, config: CEMConfig) -> None:
        super().__init__(config, tuple(config.action_std or (config.init_std,) * config.action_dim))
        self.config = config
        self.iterations = config.iterations

    def propose(self, belief: Belief, iteration: int, rng: torch.Generator) -> Tensor:
        """N plans drawn from the belief, (E, N, T, A)."""
        return self.sample(belief, self.config.samples, rng)

    def sample(self, belief: Belief, count: int, rng: torch.Generator) -> Tensor:
        """`count` plans per problem from the belief's Gaussian, (E, count, T, A)."""
        num_problems, *plan_shape = belief.mean.shape
        noise = self.noise((num_problems, count, *plan_shape), rng, belief.mean.dtype)
        return belief.mean[:, None] + belief.std[:, None] * noise

    def noise(self, shape: tuple[int, ...], rng: torch.Generator, dtype: torch.dtype) -> Tensor:
        """Unit-variance noise of `shape` (E, count, T, A)."""
        return white(shape, rng, dtype=dtype)

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
