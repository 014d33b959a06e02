"""How likely the model holds the goal image to be the last frame of a plan: an experiment, not a recommendation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from vfplan.checks import require_ranges, within
from vfplan.costs.base import CostConfig, Goal, LatentSpace
from vfplan.costs.latent import chosen_levels
from vfplan.errors import UserError


@dataclass(frozen=True)
class GoalLikelihoodConfig(CostConfig):
    """Settings of `GoalLikelihood`."""

    needs_latents: ClassVar[bool] = True

    name: str = "goal_likelihood"
    levels: int = within(1, 1, 12)
    """How many of the coarsest levels count; there must be as many at the scale of imagination."""

    def __post_init__(self) -> None:
        require_ranges(self)


class GoalLikelihood:
    """Minus the log-density of the goal as the plan's last frame, in nats per dimension; may be negative.

    The last step is exact: it is the model's own density, given the frames imagined up to it. The mean over sampled
    futures bounds minus the log of their mean density from above. What it becomes is a distance of latents weighted by
    the model's one-step precision, which is highest for the still background and the hand, and least for a touched
    object; far from the goal it is thousands of nats. (Planning by likelihood of a goal: Rhinehart, McAllister and
    Levine, "Deep Imitative Models", 2020; there the density is an expert's.)
    """

    def __init__(self, config: GoalLikelihoodConfig, space: LatentSpace) -> None:
        self.config, self.space = config, space

    def __call__(self, frames: Tensor, actions: Tensor, goal: Goal) -> Tensor:
        """Costs (E, N) of frames (E, N, T, C, Y, X) for actions (E, N, T, A).

        Raises:
            UserError: for more levels than there are, or if the caller gave no memory of the model's.
        """
        if goal.memory is None:
            raise UserError("cost goal_likelihood needs the model's memory of the past, and the caller gave none")
        candidates = frames.shape[1]
        target = goal.images.repeat_interleave(candidates, dim=0)
        images, past = frames[:, :, :-1].flatten(0, 1), goal.memory.repeat(candidates)
        densities = self.space.log_density(past, images, actions.flatten(0, 1), target)
        chosen = chosen_levels(list(densities.unbind(-1)), self.config.levels)
        dimensions = [level[0].numel() for level in self.space.latents(goal.images)[: self.config.levels]]
        total = -sum(chosen, start=densities.new_zeros(len(densities))) / sum(dimensions)
        return total.unflatten(0, frames.shape[:2])
