"""What planners share that draw plans around a nominal one: the Gaussian, its noise, and refinement by gradients."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from planners.base import Belief, Score, Scored, cheapest
from planners.descent import descend
from planners.noise import power_law
from planners.search import PlannerConfig, SearchPlanner, require


@dataclass(frozen=True)
class GaussianConfig(PlannerConfig):
    """Settings of the Gaussian that plans are drawn from; stds are in units of the action, whose range is [-1, 1]."""

    samples: int = 32  # N, plans scored per iteration
    init_std: float = 0.6  # of a cold start, and again after every shift
    action_std: tuple[float, ...] | None = None  # instead of init_std, one per component; 0 leaves that one at rest
    noise_beta: float = 2.0  # power of 1/frequency along the plan; 0 is white
    warm_start: bool = True  # search from the belief that is handed in; otherwise start cold at every plan

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.samples >= 2, f"samples must be at least 2, got {self.samples}")
        require(self.init_std > 0, f"init_std must be above 0, got {self.init_std}")
        require(self.noise_beta >= 0, f"noise_beta must be at least 0, got {self.noise_beta}")
        if self.action_std is not None:
            require(
                len(self.action_std) == self.action_dim,
                f"action_std must have action_dim={self.action_dim} values, got {len(self.action_std)}",
            )
            require(
                min(self.action_std) >= 0 and max(self.action_std) > 0,
                f"action_std must be at least 0 and somewhere above, got {tuple(self.action_std)}",
            )


@dataclass(frozen=True)
class SamplingConfig(GaussianConfig):
    """Settings of planners that only sample, unless the best of their last plans are refined by gradient descent."""

    iterations: int = 3
    refine_steps: int = 0  # gradient steps after the last iteration; 0 is none, and needs no gradients
    refine_plans: int = 4  # how many of the cheapest plans take them
    step_size: float = 0.05  # root mean square of the first of them, in units of the action; falls to 0

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
    def needs_gradients(self) -> bool:
        """Whether the best plans are refined by gradient descent."""
        return self.refine_steps > 0


class GaussianPlanner(SearchPlanner):
    """A planner that draws plans around the mean of its belief."""

    def __init__(self, config: GaussianConfig) -> None:
        super().__init__(config, tuple(config.action_std or (config.init_std,) * config.action_dim))
        self.warm_start, self.noise_beta = config.warm_start, config.noise_beta

    def sample(self, belief: Belief, count: int, rng: torch.Generator) -> Tensor:
        """`count` plans per problem from the belief's Gaussian, (E, count, T, A)."""
        num_problems, *plan_shape = belief.mean.shape
        noise = power_law((num_problems, count, *plan_shape), self.noise_beta, rng=rng, dtype=belief.mean.dtype)
        return belief.mean[:, None] + belief.std[:, None] * noise


class SamplingPlanner(GaussianPlanner):
    """A planner that samples, and may hand the cheapest of its last plans to gradient descent before the last refit.

    As in CEM-GD (Huang et al. 2021, arXiv:2112.07746); the refined plans take the places of those they came from.
    """

    def __init__(self, config: SamplingConfig) -> None:
        super().__init__(config)
        self.iterations = config.iterations
        self.refine_steps, self.refine_plans = config.refine_steps, config.refine_plans
        self.step_size = config.step_size

    def assess(self, score: Score, belief: Belief, plans: Tensor, iteration: int) -> Scored:
        """Score `plans` (E, N, T, A); in the last iteration, the cheapest then descend their gradients."""
        scored = super().assess(score, belief, plans, iteration)
        if self.refine_steps == 0 or iteration < self.iterations - 1:
            return scored
        ordered, costs = cheapest(plans, scored.costs, plans.shape[1])
        start, rest = ordered.tensor_split([self.refine_plans], dim=1)
        moving = belief.initial_std > 0
        refined = descend(score, start, steps=self.refine_steps, step_size=self.step_size, moving=moving)
        return Scored(
            plans=torch.cat([refined.plans, rest], dim=1),
            costs=torch.cat([refined.costs, costs[:, self.refine_plans :]], dim=1),
            calls=scored.calls + refined.calls,
        )
