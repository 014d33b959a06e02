"""A cost of your own, all of it: how far the middle of everything red is from where the goal image has it.

python -m examples.own_cost num_tasks=3
"""

import sys
from dataclasses import dataclass

import torch

from vfplan import costs
from vfplan.checks import require_ranges, within
from vfplan.costs.base import CostConfig, over_time


@dataclass(frozen=True)
class RednessConfig(CostConfig):  # every field is a key of the command line, as in cost.final_weight=1
    name: str = "redness"
    final_weight: float = within(5.0, 1e-6, 1e6)

    def __post_init__(self):
        require_ranges(self)


class Redness:
    """E problem, N candidate, T step, C channel, Y row, X column. Images are thumbnails in [0, 1]."""

    def __init__(self, config):
        self.config = config

    def __call__(self, frames, actions, goal):
        away = middle(frames) - middle(goal.images)[:, None, None]  # (E, N, T, 2)
        return over_time(away.square().sum(dim=-1), self.config.final_weight)  # (E, N)


def middle(images):
    """The mean place (..., 2) of what is redder than green and blue in images (..., 3, Y, X), in image widths."""
    red, green, blue = images.unbind(dim=-3)
    mass = (red - torch.maximum(green, blue)).clamp_min(0.0) + 1e-6
    y, x = (torch.linspace(0.0, 1.0, size, device=images.device) for size in mass.shape[-2:])
    total = mass.sum(dim=(-2, -1))
    row = (mass * y[:, None]).sum(dim=(-2, -1)) / total
    column = (mass * x).sum(dim=(-2, -1)) / total
    return torch.stack([row, column], dim=-1)


costs.register("redness", RednessConfig, Redness)

if __name__ == "__main__":
    from vfplan.plan import main

    main(["env=push", "cost=redness", *sys.argv[1:]])
