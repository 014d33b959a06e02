"""A planner of your own, all of it: every plan keeps one action, and a cross-entropy search finds which.

python -m examples.own_planner num_tasks=3
"""

import sys
from dataclasses import dataclass, replace

import torch

import planners
from planners import PlannerConfig, SearchPlanner
from planners.base import cheapest
from planners.search import require, within


@dataclass(frozen=True)
class StraightConfig(PlannerConfig):  # every field is a key of the command line, as in planner.samples=64
    samples: int = within(32, 2, 10_000)
    elites: int = within(6, 2, 10_000)
    iterations: int = within(3, 1, 100)

    def __post_init__(self):
        super().__post_init__()
        require(self.elites <= self.samples, f"elites must be at most samples={self.samples}, got {self.elites}")

    @property
    def num_iterations(self):
        return self.iterations

    def stds(self, action_dim):
        return (0.6,) * action_dim


class Straight(SearchPlanner[StraightConfig]):
    """E problem, N candidate, T step, A action. The loop clips plans, keeps what is held, and scores them."""

    def propose(self, belief, iteration, rng):
        problems, steps, size = belief.mean.shape
        drawn = torch.randn((problems, self.config.samples, 1, size), generator=rng, device=rng.device)
        action = belief.mean[:, None, :1] + belief.std[:, None, :1] * drawn
        return action.expand(-1, -1, steps, -1)  # (E, N, T, A)

    def refit(self, belief, plans, costs):
        best, cost = cheapest(plans, costs, self.config.elites)
        kept = cost.isfinite()[..., None, None]  # a rejected plan teaches nothing
        count = kept.sum(dim=1).clamp(min=1)
        mean = torch.where(kept, best, 0.0).sum(dim=1) / count
        spread = torch.where(kept, best - mean[:, None], 0.0).square().sum(dim=1) / count
        some = kept.any(dim=1)
        return replace(
            belief,
            mean=torch.where(some, mean, belief.mean),
            std=torch.where(some & (belief.initial_std > 0), spread.sqrt() + 0.05, belief.std),
        )


planners.register("straight", StraightConfig, Straight)

if __name__ == "__main__":
    from vfplan.plan import main

    main(["env=push", "planner=straight", *sys.argv[1:]])
