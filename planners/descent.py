"""Gradient descent on plans through the score: safe against exploding and missing gradients, blind to the cost's unit.

E problem, N plan, T step, A action.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from planners.base import Score, Scored, cheapest, clip, evaluate

MOMENTUM = 0.9


@dataclass(frozen=True)
class Refinement:
    """How the cheapest of some plans descend."""

    plans: int
    steps: int
    step_size: float


def refine(score: Score, scored: Scored, how: Refinement, *, moving: Tensor) -> Scored:
    """Let the cheapest plans descend their gradients, and take the places of those they came from.

    As in CEM-GD (Huang et al. 2021, arXiv:2112.07746).
    """
    ordered, costs = cheapest(scored.plans, scored.costs, scored.plans.shape[1])
    start, rest = ordered.tensor_split([how.plans], dim=1)
    refined = descend(score, start, steps=how.steps, step_size=how.step_size, moving=moving)
    return Scored(
        plans=torch.cat([refined.plans, rest], dim=1),
        costs=torch.cat([refined.costs, costs[:, how.plans :]], dim=1),
        calls=scored.calls + refined.calls,
    )


def descend(score: Score, plans: Tensor, *, steps: int, step_size: float, moving: Tensor) -> Scored:
    """Each of `plans` (E, N, T, A) at the cheapest it was while descending the gradient of its own cost.

    Takes `steps` steps with momentum (Polyak 1964) along gradients that are first scaled to a root mean square of 1,
    that is `steps` + 1 calls to the score. So the unit of the cost drops out, and an exploding gradient counts as one
    step like any other. The step size falls linearly to 0. A plan whose cost or gradient is not finite goes back to the
    cheapest it has been and takes half steps from there on. Where the score draws noise anew at every call, the
    cheapest is partly the luckiest.

    Args:
        score: must be differentiable, and the cost of a plan must depend on no other plan.
        plans: where to start.
        steps: number of gradient steps.
        step_size: the root mean square over a plan's numbers of the first step; actions are in [-1, 1].
        moving: (A,) bool, the action components that may change.

    Raises:
        ValueError: if no gradient leads from the costs to the plans.
    """
    best, best_costs = plans, torch.full_like(plans[..., 0, 0], torch.inf)
    direction, caution, calls = torch.zeros_like(plans), torch.ones_like(plans[..., :1, :1]), []
    for step in range(1, steps + 2):
        costs, slope = _costs_and_slope(score, plans) if step <= steps else (evaluate(score, plans), plans)
        calls.append(costs)
        better = costs < best_costs
        best = torch.where(better[..., None, None], plans, best)
        best_costs = torch.where(better, costs, best_costs)
        if step > steps:
            break
        usable = (torch.isfinite(slope).all(dim=(2, 3)) & torch.isfinite(costs))[..., None, None]
        direction = torch.lerp(_normalised(torch.where(usable, slope, 0.0) * moving), direction, MOMENTUM)
        # Divided as in Adam, for an average that began at zero.
        size = step_size * (1 - (step - 1) / steps) / (1 - MOMENTUM**step)
        caution = torch.where(usable, caution, 0.5 * caution)
        plans = torch.where(usable, clip(plans - size * caution * direction), best)
    return Scored(best, best_costs, tuple(calls))


def _normalised(slope: Tensor) -> Tensor:
    """Gradients (E, N, T, A), finite, scaled to a root mean square of 1 per plan; zeros stay zeros."""
    tiny = torch.finfo(slope.dtype).tiny
    slope = slope / slope.abs().amax(dim=(2, 3), keepdim=True).clamp_min(tiny)  # else squares could overflow
    return slope / slope.square().mean(dim=(2, 3), keepdim=True).sqrt().clamp_min(tiny)


def _costs_and_slope(score: Score, plans: Tensor) -> tuple[Tensor, Tensor]:
    """Costs (E, N), inf where rejected, and the gradient (E, N, T, A) of each plan's own cost."""
    with torch.enable_grad():
        leaf = plans.detach().requires_grad_()
        costs = evaluate(score, leaf)
        if not costs.requires_grad:
            raise ValueError("the costs have no gradient with respect to the plans, which gradient descent needs")
        total = torch.where(torch.isfinite(costs), costs, 0.0).sum()
        (slope,) = torch.autograd.grad(total, leaf)
    return costs.detach(), slope
