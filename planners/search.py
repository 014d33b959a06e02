"""The loop every planner runs: propose plans, score them, refit the belief. No algorithm of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from planners.base import Belief, Plan, Score, Scored, Trace, cheapest, clip, evaluate


@dataclass(frozen=True)
class PlannerConfig:
    """The size of a plan. Raises ValueError for sizes below 1, as every subclass does for its own settings."""

    action_dim: int = 4  # A
    horizon: int = 8  # T, in actions

    def __post_init__(self) -> None:
        require(self.action_dim >= 1, f"action_dim must be at least 1, got {self.action_dim}")
        require(self.horizon >= 1, f"horizon must be at least 1, got {self.horizon}")

    @property
    def needs_gradients(self) -> bool:
        """Whether the planner differentiates the score."""
        return False


class SearchPlanner(ABC):
    """A planner is what it proposes and how it learns from the costs; the rest is here.

    The score is called exactly once per iteration, always with the same shape (E, N, T, A), so that a model behind it
    can be compiled or captured once; only a planner that descends gradients calls it more often, each time with one of
    at most two shapes. Nothing here reads a tensor on the host, so the device never waits.
    """

    iterations = 1
    warm_start = True

    def __init__(self, config: PlannerConfig, initial_std: tuple[float, ...]) -> None:
        self.horizon = config.horizon
        self.action_dim = config.action_dim
        self.needs_gradients = config.needs_gradients
        self.initial_std = initial_std  # one per action component

    @abstractmethod
    def propose(self, belief: Belief, iteration: int, rng: torch.Generator) -> Tensor:
        """The plans (E, N, T, A) to score in this iteration; the loop clips them to the action bounds."""

    @abstractmethod
    def refit(self, belief: Belief, plans: Tensor, costs: Tensor) -> Belief:
        """The belief after `plans` (E, N, T, A) were found to cost `costs` (E, N), inf where rejected."""

    def assess(self, score: Score, belief: Belief, plans: Tensor, iteration: int) -> Scored:
        """Score `plans` (E, N, T, A), which may be improved on the way."""
        costs = evaluate(score, plans)
        return Scored(plans, costs, (costs,))

    def choose(self, belief: Belief, plans: Tensor, costs: Tensor) -> tuple[Tensor, Tensor]:
        """What to execute, (E, T, A), and its cost, (E,): the cheapest of the last plans, else the belief's mean."""
        best, cost = cheapest(plans, costs, 1)
        return torch.where(torch.isfinite(cost)[..., None, None], best, clip(belief.mean)[:, None])[:, 0], cost[:, 0]

    def initial_belief(self, num_problems: int, device: torch.device | str) -> Belief:
        """A cold start: zero mean, initial std, no elites."""
        # Filled, not copied from a list: a copy from the host would make the device wait.
        std = torch.stack([torch.full((), value, device=device) for value in self.initial_std])
        shape = (num_problems, self.horizon, self.action_dim)
        return Belief(
            mean=torch.zeros(shape, device=device),
            std=std.expand(shape).clone(),
            elites=torch.zeros((num_problems, 0, *shape[1:]), device=device),
            initial_std=std,
        )

    @torch.no_grad()
    def plan(self, score: Score, belief: Belief | None, rng: torch.Generator) -> Plan:
        """Search from `belief`; None is one problem from a cold start. See `planners.base.Planner`.

        Raises ValueError for a belief of another horizon or action size, or costs of another shape than (E, N).
        """
        belief = self._start(belief, rng.device)
        calls: list[Tensor] = []
        for iteration in range(self.iterations):
            proposed = clip(self.propose(belief, iteration, rng))
            scored = self.assess(score, belief, proposed, iteration)
            belief = self.refit(belief, scored.plans, scored.costs)
            calls += scored.calls
        actions, cost = self.choose(belief, scored.plans, scored.costs)
        return Plan(actions, cost, belief, Trace.of(calls))

    def _start(self, belief: Belief | None, device: torch.device) -> Belief:
        """The belief to search from: cold if there is none, or if the planner starts cold every time."""
        if belief is None:
            return self.initial_belief(1, device)
        expected = (self.horizon, self.action_dim)
        if belief.mean.shape[1:] != expected:
            raise ValueError(f"belief must be over (T, A) = {expected}, got {tuple(belief.mean.shape[1:])}")
        return belief if self.warm_start else self.initial_belief(len(belief.mean), device)


def require(condition: bool, message: str) -> None:
    """Raise ValueError(message) unless `condition` holds."""
    if not condition:
        raise ValueError(message)
