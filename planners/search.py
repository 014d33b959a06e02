"""The loop every planner runs: propose plans, score them, refit the belief. No algorithm of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from planners.base import Belief, Plan, Score, Scored, Trace, cheapest, clip, evaluate
from planners.descent import Refinement, refine


def within(default: Any, low: float, high: float) -> Any:
    """A setting with this default; who reads settings from outside keeps its numbers between `low` and `high`."""
    return field(default=default, metadata={"range": (low, high)})


@dataclass(frozen=True)
class PlannerConfig:
    """The size of a plan. Raises ValueError for sizes below 1, as every subclass does for its own settings."""

    horizon: int = within(8, 1, 256)  # T, in actions
    hold: dict[str, float] | None = within(None, -1, 1)  # components that every plan keeps at a value, by name

    def __post_init__(self) -> None:
        require(self.horizon >= 1, f"horizon must be at least 1, got {self.horizon}")
        for name, value in (self.hold or {}).items():
            require(-1 <= value <= 1, f"hold.{name} must be in [-1, 1], got {value:g}")

    def held(self, names: Sequence[str]) -> dict[int, float]:
        """The value of each held component, by its place in `names`.

        Raises:
            ValueError: for a name that is not there, or if nothing is left to plan.
        """
        hold = self.hold or {}
        for name in hold:
            near = get_close_matches(name, names, n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            require(name in names, f"hold: no component {name!r}; there are {', '.join(names)}{hint}")
        require(len(hold) < len(names), f"hold must leave a component to plan, got {hold}")
        return {list(names).index(name): value for name, value in hold.items()}

    def stds(self, action_dim: int) -> tuple[float, ...]:
        """Of a cold start, one per component; 0 leaves that one at rest. Raises ValueError for another number."""
        return (0.0,) * action_dim

    @property
    def num_iterations(self) -> int:
        """Times that plans are proposed and the belief is refitted."""
        return 1

    @property
    def starts_cold(self) -> bool:
        """Whether the belief that is handed in is forgotten."""
        return False

    @property
    def refinement(self) -> Refinement | None:
        """What gradient descent does to the cheapest of the last plans; None for nothing."""
        return None

    @property
    def needs_gradients(self) -> bool:
        """Whether the planner differentiates the score."""
        return self.refinement is not None


AnyConfig = TypeVar("AnyConfig", bound=PlannerConfig)


class SearchPlanner(ABC, Generic[AnyConfig]):
    """A planner is what it proposes and how it learns from the costs; the rest is here.

    The score is called exactly once per iteration, always with the same shape (E, N, T, A), so that a model behind it
    can be compiled or captured once; only a planner that descends gradients calls it more often, each time with one of
    at most two shapes. Nothing here reads a tensor on the host, so the device never waits.
    """

    def __init__(self, config: AnyConfig, action_dim: int, held: Mapping[int, float] | None = None) -> None:
        """Make a planner of actions of A components that keeps those in `held`, by place, at their values."""
        held = held or {}
        self.config, self.action_dim = config, action_dim
        self.initial_mean = tuple(held.get(place, 0.0) for place in range(action_dim))
        self.initial_std = tuple(0.0 if place in held else std for place, std in enumerate(config.stds(action_dim)))

    @property
    def horizon(self) -> int:
        """T, the number of actions in a plan."""
        return self.config.horizon

    @property
    def needs_gradients(self) -> bool:
        """Whether `plan` differentiates the score."""
        return self.config.needs_gradients

    @abstractmethod
    def propose(self, belief: Belief, iteration: int, rng: torch.Generator) -> Tensor:
        """The plans (E, N, T, A) to score in this iteration; the loop clips them to the action bounds."""

    @abstractmethod
    def refit(self, belief: Belief, plans: Tensor, costs: Tensor) -> Belief:
        """The belief after `plans` (E, N, T, A) were found to cost `costs` (E, N), inf where rejected."""

    def assess(self, score: Score, belief: Belief, plans: Tensor) -> Scored:
        """Score `plans` (E, N, T, A), which may be improved on the way."""
        costs = evaluate(score, plans)
        return Scored(plans, costs, (costs,))

    def choose(self, belief: Belief, plans: Tensor, costs: Tensor) -> tuple[Tensor, Tensor]:
        """What to execute, (E, T, A), and its cost, (E,): the cheapest of the last plans, else the belief's mean."""
        best, cost = cheapest(plans, costs, 1)
        return torch.where(torch.isfinite(cost)[..., None, None], best, clip(belief.mean)[:, None])[:, 0], cost[:, 0]

    def initial_belief(self, num_problems: int, device: torch.device | str) -> Belief:
        """A cold start: zero mean, but for what is held, initial std, no elites."""
        # Filled, not copied from a list: a copy from the host would make the device wait.
        mean, std = (
            torch.stack([torch.full((), value, device=device) for value in values])
            for values in (self.initial_mean, self.initial_std)
        )
        shape = (num_problems, self.horizon, self.action_dim)
        return Belief(
            mean=mean.expand(shape).clone(),
            std=std.expand(shape).clone(),
            elites=torch.zeros((num_problems, 0, *shape[1:]), device=device),
            initial_mean=mean,
            initial_std=std,
        )

    @torch.no_grad()
    def plan(self, score: Score, belief: Belief | None, rng: torch.Generator) -> Plan:
        """Search from `belief`; None is one problem from a cold start. See `planners.base.Planner`.

        Raises ValueError for a belief of another horizon or action size, or costs of another shape than (E, N).
        """
        belief, last = self._start(belief, rng.device), self.config.num_iterations - 1
        calls: list[Tensor] = []
        for iteration in range(last + 1):
            proposed = belief.admit(self.propose(belief, iteration, rng))
            scored = self.assess(score, belief, proposed)
            if iteration == last and self.config.refinement:
                scored = refine(score, scored, self.config.refinement, moving=belief.initial_std > 0)
            belief = self.refit(belief, scored.plans, scored.costs)
            calls += scored.calls
        actions, cost = self.choose(belief, scored.plans, scored.costs)
        return Plan(actions, cost, belief, Trace.of(calls), scored)

    def _start(self, belief: Belief | None, device: torch.device) -> Belief:
        """The belief to search from: cold if there is none, or if the planner starts cold every time."""
        if belief is None:
            return self.initial_belief(1, device)
        expected = (self.horizon, self.action_dim)
        if belief.mean.shape[1:] != expected:
            raise ValueError(f"belief must be over (T, A) = {expected}, got {tuple(belief.mean.shape[1:])}")
        return self.initial_belief(len(belief.mean), device) if self.config.starts_cold else belief


def require(condition: bool, message: str) -> None:
    """Raise ValueError(message) unless `condition` holds."""
    if not condition:
        raise ValueError(message)
