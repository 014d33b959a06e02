"""Planners to be beaten: uniform random actions, random shooting, and standing still."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from planners.base import Belief
from planners.search import PlannerConfig, SearchPlanner, require, within


@dataclass(frozen=True)
class RandomConfig(PlannerConfig):
    """Uniform actions; with more than one sample the cheapest is executed, which is random shooting."""

    samples: int = within(1, 1, 10_000)  # N

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.samples >= 1, f"samples must be at least 1, got {self.samples}")

    def stds(self, action_dim: int) -> tuple[float, ...]:
        """Those of a uniform value in [-1, 1]."""
        return (1 / 3**0.5,) * action_dim


@dataclass(frozen=True)
class ZeroConfig(PlannerConfig):
    """All actions zero; there is nothing to set."""


class RandomPlanner(SearchPlanner[RandomConfig]):
    """N plans of independent uniform actions, scored once; learns nothing."""

    def propose(self, belief: Belief, iteration: int, rng: torch.Generator) -> Tensor:
        """Uniform plans, (E, N, T, A)."""
        num_problems, *plan_shape = belief.mean.shape
        shape = (num_problems, self.config.samples, *plan_shape)
        return torch.rand(shape, generator=rng, device=rng.device, dtype=belief.mean.dtype) * 2 - 1

    def refit(self, belief: Belief, plans: Tensor, costs: Tensor) -> Belief:
        """The belief, unchanged."""
        return belief


class ZeroPlanner(SearchPlanner[ZeroConfig]):
    """The plan that does nothing, scored once so that its cost is known."""

    def propose(self, belief: Belief, iteration: int, rng: torch.Generator) -> Tensor:
        """One plan of zeros, but for what is held, (E, 1, T, A)."""
        return belief.mean[:, None]

    def refit(self, belief: Belief, plans: Tensor, costs: Tensor) -> Belief:
        """The belief, unchanged."""
        return belief
