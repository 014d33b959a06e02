"""What every planner shares: plans go in, costs come out, a belief is handed from one plan to the next.

E problem (episode planned for), N candidate plan, K kept elite, T step, A action, J call to the score.
Actions lie in [-1, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

Score = Callable[[Tensor], Tensor]
"""Plans (E, N, T, A) -> costs (E, N); lower is better; a non-finite cost rejects its plan."""


@dataclass(frozen=True)
class Belief:
    """Where good plans are thought to be: one diagonal Gaussian over action sequences per problem."""

    mean: Tensor  # (E, T, A)
    std: Tensor  # (E, T, A), a standard deviation, never a variance
    elites: Tensor  # (E, K, T, A), plans worth scoring again, cheapest first; K may be 0
    initial_mean: Tensor  # (A,), the mean of a cold start
    initial_std: Tensor  # (A,), the std of a cold start, to which `shift` returns; 0 holds a component at its mean

    def shift(self, steps: int) -> Belief:
        """The belief after `steps` actions were executed: the past drops out, the last action is repeated.

        The std starts afresh, because the search must be able to react to what was seen meanwhile.
        """
        if steps < 0:
            raise ValueError(f"steps must be at least 0, got {steps}")
        return Belief(
            mean=_shifted(self.mean, steps),
            std=self.initial_std.expand_as(self.std).clone(),
            elites=_shifted(self.elites, steps),
            initial_mean=self.initial_mean,
            initial_std=self.initial_std,
        )

    def admit(self, plans: Tensor) -> Tensor:
        """`plans` (..., T, A), moved into the action bounds, with what is held at its value."""
        return torch.where(self.initial_std > 0, clip(plans), self.initial_mean)

    def forget(self, problems: Tensor) -> Belief:
        """A cold start for the problems marked in the mask (E,): initial mean, also for elites, and initial std."""
        cold = problems[:, None, None]
        return replace(
            self,
            mean=torch.where(cold, self.initial_mean, self.mean),
            std=torch.where(cold, self.initial_std, self.std),
            elites=torch.where(cold[..., None], self.initial_mean, self.elites),
        )

    def take(self, problems: Tensor) -> Belief:
        """The belief about the problems with these indices."""
        return replace(self, mean=self.mean[problems], std=self.std[problems], elites=self.elites[problems])

    def put(self, problems: Tensor, belief: Belief) -> Belief:
        """The same with `belief` about the problems with these indices; it must have as many elites."""
        return replace(
            self,
            mean=self.mean.index_copy(0, problems, belief.mean),
            std=self.std.index_copy(0, problems, belief.std),
            elites=self.elites.index_copy(0, problems, belief.elites),
        )


@dataclass(frozen=True)
class Scored:
    """Plans and what they cost, after calling the score once or more often."""

    plans: Tensor  # (E, N, T, A)
    costs: Tensor  # (E, N), inf where rejected
    calls: tuple[Tensor, ...]  # the costs (E, N) of each call; N may differ from call to call


@dataclass(frozen=True)
class Trace:
    """What one call to `plan` saw, in each of its J calls to the score; tensors stay on the planning device."""

    best: Tensor  # (J, E), lowest cost; inf where every plan was rejected
    mean: Tensor  # (J, E), over the plans that were not rejected; inf where there was none
    rejected: Tensor  # (J, E) int64, number of plans with a non-finite cost

    @classmethod
    def of(cls, calls: Sequence[Tensor]) -> Trace:
        """The trace of J calls that answered costs (E, N), inf where rejected; N may differ."""
        return cls(
            best=torch.stack([costs.amin(dim=1) for costs in calls]),
            mean=torch.stack([mean_accepted(costs) for costs in calls]),
            rejected=torch.stack([costs.isinf().sum(dim=1) for costs in calls]),
        )


@dataclass(frozen=True)
class Plan:
    """The actions to execute, and what is needed to plan again after some of them."""

    actions: Tensor  # (E, T, A), inside [-1, 1]
    cost: Tensor  # (E,), in the unit of the Score; inf where every plan was rejected
    belief: Belief  # hand back, shifted, to warm-start the next call
    trace: Trace
    last: Scored  # the plans of the last iteration, and what they cost


class Planner(Protocol):
    """Searches for cheap plans, for E problems at once. Holds no state between calls and never touches a model."""

    @property
    def horizon(self) -> int:
        """T, the number of actions in a plan."""

    @property
    def action_dim(self) -> int:
        """A, the number of components of an action."""

    @property
    def needs_gradients(self) -> bool:
        """Whether `plan` differentiates the score: then it must not run in inference mode."""

    def initial_belief(self, num_problems: int, device: torch.device | str) -> Belief:
        """A cold start: zero mean, but for what is held, initial std, no elites."""

    def plan(self, score: Score, belief: Belief | None, rng: torch.Generator) -> Plan:
        """Search from `belief`; None is one problem from a cold start. `rng` lives on the planning device.

        All randomness comes from `rng`. Nothing waits for the device: no tensor is read on the host.
        """


def clip(actions: Tensor) -> Tensor:
    """`actions` of any shape, moved to the nearest point of [-1, 1]."""
    return actions.clamp(-1.0, 1.0)


def evaluate(score: Score, plans: Tensor) -> Tensor:
    """Costs (E, N) of `plans` (E, N, T, A), with +inf for every rejected plan, so that NaN and -inf can never win."""
    costs = score(plans)
    if costs.shape != plans.shape[:2]:
        raise ValueError(f"score must return costs of shape {tuple(plans.shape[:2])}, got {tuple(costs.shape)}")
    return torch.where(torch.isfinite(costs), costs, torch.inf)


def cheapest(plans: Tensor, costs: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` cheapest of `plans` (E, N, T, A) by `costs` (E, N): (E, count, T, A) and (E, count), best first.

    Fewer than `count` accepted plans leave rejected ones, cost inf, at the end: the caller must mask them.
    """
    best_costs, index = costs.topk(count, dim=1, largest=False, sorted=True)
    return plans.gather(1, index[:, :, None, None].expand(-1, -1, *plans.shape[2:])), best_costs


def mean_accepted(costs: Tensor) -> Tensor:
    """Mean of `costs` (E, N) over the finite ones, (E,); inf where there is none."""
    accepted = torch.isfinite(costs)
    total = torch.where(accepted, costs, 0.0).sum(dim=1)
    return torch.where(accepted.any(dim=1), total / accepted.sum(dim=1).clamp(min=1), torch.inf)


def _shifted(actions: Tensor, steps: int) -> Tensor:
    """(..., T, A), `steps` later, the end filled with the last action."""
    kept = actions[..., steps:, :]
    filler = actions[..., -1:, :].expand(*actions.shape[:-2], actions.shape[-2] - kept.shape[-2], -1)
    return torch.cat([kept, filler], dim=-2)
