"""iCEM: the cross-entropy method made to work with few samples, by noise that lasts and elites that stay.

In order of what they were worth in a pushing toy: warm start (in `CEM` too), noise correlated in time, kept elites,
executing the best plan instead of the mean. Each is a switch; with all of them off this is `CEM`, to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from planners import gaussian
from planners.base import Belief, cheapest, clip, mean_accepted
from planners.search import SearchPlanner, require, within

EXECUTE = ("best", "mean")


@dataclass(frozen=True)
class IcemConfig(gaussian.EliteConfig):
    """Settings of iCEM. Execute the mean wherever each plan is scored under noise of its own, else luck wins."""

    noise_beta: float = within(2.0, 0, 10)  # about a random walk's; 0 is white
    keep_elites: float = within(0.3, 0, 1)  # share of the elites scored again in the next iteration; 0 keeps none
    shift_elites: bool = True  # let kept elites survive into the next call, moved on by Belief.shift
    add_mean: bool = True  # the mean itself is a candidate in the last iteration
    execute: str = "best"  # "best" plan of the last iteration, or the final "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 <= self.keep_elites <= 1, f"keep_elites must be in [0, 1], got {self.keep_elites}")
        require(self.execute in EXECUTE, f"execute must be one of {', '.join(EXECUTE)}; got {self.execute!r}")
        fixed = self.num_kept + self.add_mean
        require(fixed < self.samples, f"kept elites and mean must be fewer than samples={self.samples}, got {fixed}")

    @property
    def num_kept(self) -> int:
        """Elites that join the next iteration's candidates."""
        return int(self.keep_elites * self.elites)


class Icem(SearchPlanner[IcemConfig]):
    """iCEM with four changes to the published algorithm.

    Kept elites are scored again, since under a stochastic model an old cost may have been luck. They count among the N
    samples, which never decay, so that every call to the score has one shape. The noise is not periodic over a plan.
    A shifted elite repeats its last action instead of drawing a new one.

    Reference: Pinneri et al., Sample-efficient Cross-Entropy Method for Real-time Planning, 2020 (arXiv:2008.06389).
    """

    def propose(self, belief: Belief, iteration: int, rng: torch.Generator) -> Tensor:
        """Kept elites, the mean in the last iteration, and fresh samples: N in all, (E, N, T, A)."""
        survive = iteration > 0 or self.config.shift_elites
        fixed = [belief.elites[:, : self.config.num_kept if survive else 0]]
        if self.config.add_mean and iteration == self.config.iterations - 1:
            fixed.append(belief.mean[:, None])
        fresh = self.config.samples - sum(plans.shape[1] for plans in fixed)
        return torch.cat([*fixed, gaussian.draw(belief, fresh, self.config.noise_beta, rng)], dim=1)

    def refit(self, belief: Belief, plans: Tensor, costs: Tensor) -> Belief:
        """Fit the Gaussian, and keep the best elites; the mean stands in for an elite that was rejected."""
        fitted = gaussian.fit(belief, plans, costs, self.config)
        elites, elite_costs = cheapest(plans, costs, self.config.num_kept)
        accepted = torch.isfinite(elite_costs)[:, :, None, None]
        return replace(fitted, elites=torch.where(accepted, elites, fitted.mean[:, None]))

    def choose(self, belief: Belief, plans: Tensor, costs: Tensor) -> tuple[Tensor, Tensor]:
        """The best plan, or the mean; the refitted mean was never scored, so its cost is the mean of its elites'."""
        if self.config.execute == "best":
            return super().choose(belief, plans, costs)
        return clip(belief.mean), mean_accepted(cheapest(plans, costs, self.config.elites)[1])
