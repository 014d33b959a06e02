"""Two scores made one: a cheap one for all candidates, an expensive one for those that it likes best.

E problem, N candidate plan, T step, A action. Knows no model, no cost and no planner.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Score = Callable[[Tensor], Tensor]
"""Plans (E, N, T, A) -> costs (E, N); a non-finite cost rejects its plan."""


def with_finalists(score: Score, rescore: Score, count: int) -> Score:
    """A score that lets `rescore` decide among the `count` candidates of each problem that `score` finds cheapest.

    A finalist costs what `rescore` says. The others keep the order and the distances that `score` gave them, moved as a
    whole so that they go on from the costliest finalist: none of them is cheaper than any finalist that was accepted.
    What either score rejects stays rejected. Where there are no more than `count` candidates, all are finalists, and
    `score` is not asked.

    Gradients: a finalist's cost has that of `rescore`, any other that of `score`; the choice of finalists and the move
    have none.
    """

    def decide(plans: Tensor) -> Tensor:
        if plans.shape[1] <= count:
            return rescore(plans)
        cheap = score(plans)
        cheap = torch.where(cheap.isfinite(), cheap, torch.inf)
        limit, index = cheap.detach().topk(count, dim=1, largest=False)
        chosen = plans.gather(1, index[:, :, None, None].expand(-1, -1, *plans.shape[2:]))
        exact = rescore(chosen)
        exact = torch.where(exact.isfinite() & limit.isfinite(), exact, torch.inf)
        ceiling, reference = _ceiling(exact.detach(), limit)
        # In this order rounding cannot put a candidate below the ceiling.
        return (ceiling + (cheap - reference)).scatter(1, index, exact)

    return decide


def _ceiling(exact: Tensor, cheap: Tensor) -> tuple[Tensor, Tensor]:
    """The cost (E, 1) that the costliest finalist has by `exact` (E, M), and by `cheap` (E, M); rejected ones aside.

    Where none was accepted, there is nothing to go on from: both are what the cheap score says.
    """
    accepted, lowest = exact.isfinite(), torch.finfo(exact.dtype).min
    reference = torch.where(cheap.isfinite(), cheap, lowest).amax(dim=1, keepdim=True)
    ceiling = torch.where(accepted, exact, lowest).amax(dim=1, keepdim=True)
    return torch.where(accepted.any(dim=1, keepdim=True), ceiling, reference), reference
