"""Plans drawn from a Gaussian around the nominal plan, and the Gaussian fitted to the cheapest of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from planners.base import Belief, cheapest
from planners.descent import Refinement
from planners.noise import power_law
from planners.search import PlannerConfig, require, within


@dataclass(frozen=True)
class GaussianConfig(PlannerConfig):
    """Settings of the Gaussian that plans are drawn from; stds are in units of the action, whose range is [-1, 1]."""

    samples: int = within(32, 2, 10_000)  # N, plans scored per iteration
    init_std: float = within(0.6, 1e-6, 10)  # of a cold start, and again after every shift
    action_std: tuple[float, ...] | None = within(None, 0, 10)  # one per component instead; 0 leaves that one at rest
    noise_beta: float = within(2.0, 0, 10)  # power of 1/frequency along the plan; 0 is white
    warm_start: bool = True  # search from the belief that is handed in; otherwise start cold at every plan

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.samples >= 2, f"samples must be at least 2, got {self.samples}")
        require(self.init_std > 0, f"init_std must be above 0, got {self.init_std}")
        require(self.noise_beta >= 0, f"noise_beta must be at least 0, got {self.noise_beta}")
        if self.action_std is not None:
            require(
                min(self.action_std) >= 0 and max(self.action_std) > 0,
                f"action_std must be at least 0 and somewhere above, got {tuple(self.action_std)}",
            )

    def stds(self, action_dim: int) -> tuple[float, ...]:
        """Of a cold start, one per component. Raises ValueError for another number of them."""
        stds = self.action_std or (self.init_std,) * action_dim
        require(len(stds) == action_dim, f"action_std must have {action_dim} values, got {len(stds)}")
        return tuple(stds)

    @property
    def starts_cold(self) -> bool:
        """Whether the belief that is handed in is forgotten."""
        return not self.warm_start


@dataclass(frozen=True)
class SamplingConfig(GaussianConfig):
    """Settings of planners that only sample, unless the best of their last plans are refined by gradient descent."""

    iterations: int = within(3, 1, 100)
    refine_steps: int = within(0, 0, 100)  # gradient steps after the last iteration; 0 is none, and needs no gradients
    refine_plans: int = within(4, 1, 10_000)  # how many of the cheapest plans take them
    step_size: float = within(0.05, 1e-6, 10)  # root mean square of the first, in units of the action; falls to 0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.iterations >= 1, f"iterations must be at least 1, got {self.iterations}")
        require(self.refine_steps >= 0, f"refine_steps must be at least 0, got {self.refine_steps}")
        require(
            self.refine_steps == 0 or 1 <= self.refine_plans <= self.samples,
            f"refine_plans must be between 1 and samples={self.samples}, got {self.refine_plans}",
        )
        require(self.step_size > 0, f"step_size must be above 0, got {self.step_size}")

    @property
    def num_iterations(self) -> int:
        """Times that plans are proposed and the belief is refitted."""
        return self.iterations

    @property
    def refinement(self) -> Refinement | None:
        """What gradient descent does to the cheapest of the last plans; None for nothing."""
        return Refinement(self.refine_plans, self.refine_steps, self.step_size) if self.refine_steps else None


@dataclass(frozen=True)
class EliteConfig(SamplingConfig):
    """Settings of planners that fit the Gaussian to their elites, the cheapest plans."""

    elites: int = within(6, 1, 10_000)  # plans the Gaussian is fitted to
    min_std: float = within(0.05, 0, 10)  # keeps the search alive when the elites agree
    momentum: float = within(0.1, 0, 0.999)  # weight of the old mean and std in a refit

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            1 <= self.elites <= self.samples,
            f"elites must be between 1 and samples={self.samples}, got {self.elites}",
        )
        require(self.min_std >= 0, f"min_std must be at least 0, got {self.min_std}")
        require(0 <= self.momentum < 1, f"momentum must be in [0, 1), got {self.momentum}")


def draw(belief: Belief, count: int, noise_beta: float, rng: torch.Generator) -> Tensor:
    """Draw `count` plans per problem from the belief's Gaussian, (E, count, T, A)."""
    num_problems, *plan_shape = belief.mean.shape
    noise = power_law((num_problems, count, *plan_shape), noise_beta, rng=rng, dtype=belief.mean.dtype)
    return belief.mean[:, None] + belief.std[:, None] * noise


def fit(belief: Belief, plans: Tensor, costs: Tensor, config: EliteConfig) -> Belief:
    """Move mean and std to those of the accepted elites; a problem without one keeps its belief."""
    elites, elite_costs = cheapest(plans, costs, config.elites)
    accepted = torch.isfinite(elite_costs)[:, :, None, None].to(elites.dtype)  # (E, K, 1, 1)
    count = accepted.sum(dim=1)
    weight = accepted / count.clamp(min=1)[:, None]
    mean = (weight * elites).sum(dim=1)
    std = (weight * (elites - mean[:, None]).square()).sum(dim=1).sqrt()
    # A component that started at rest stays at rest.
    floor = belief.initial_std.clamp(max=config.min_std)
    step = (1 - config.momentum) * count.clamp(max=1)
    return replace(
        belief,
        mean=torch.lerp(belief.mean, mean, step),
        std=torch.maximum(torch.lerp(belief.std, std, step), floor),
    )
