"""Images on the way to a goal, as goals of a planner that looks only a few steps ahead.

A world model proposes the way (Wang et al., "Point-to-Point Video Generation", 2019); which actions lead from image to
image is for the planner to find, with that model or another. E problem (episode), T step, C channel, Y row, X column.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from vfplan.control.loop import Problem
from vfplan.control.settings import ControlConfig
from vfplan.models.base import Context, ProposingModel
from vfplan.pixels import frames_from_unit

Images = NDArray[np.uint8]


class Subgoals:
    """The goals of each planning in turn: `plan_episodes(problem, controller, renew=Subgoals(...).renew)`.

    Args:
        model: proposes a way.
        problem: episodes that have not begun.
        control: how many actions they take, and after how many of them they plan again.
        horizon: actions of a plan: what is aimed at is as many steps ahead.
        rng: what the ways are drawn with; None for those that the model expects.
        device: of the model.
    """

    def __init__(
        self,
        model: ProposingModel,
        problem: Problem,
        control: ControlConfig,
        horizon: int,
        rng: torch.Generator | None,
        device: torch.device,
    ) -> None:
        self.control, self.horizon, self.plannings = control, horizon, 0
        self.goals = problem.goal_images
        starts = np.stack([observation["image"] for observation in problem.observations])
        self.images = proposed(model, starts, self.goals, control.steps, rng, device)
        """(E, T, Y, X, C) the ways."""

    def renew(self, goals: Images) -> Images:
        """The goals (E, Y, X, C) of the planning that is due; the last ones are the goals themselves."""
        aimed = self.plannings * self.control.replan_every + self.horizon
        self.plannings += 1
        return self.goals if aimed >= self.control.steps else self.images[:, aimed - 1]


@torch.inference_mode()
def proposed(
    model: ProposingModel,
    starts: Images,
    goals: Images,
    steps: int,
    rng: torch.Generator | None,
    device: torch.device,
) -> Images:
    """Images (E, T, Y, X, C) on the way from starts (E, Y, X, C), which stand still before, to goals."""
    first, last = (torch.from_numpy(images).permute(0, 3, 1, 2).to(device) for images in (starts, goals))
    past = model.past_frames
    still = torch.zeros(len(first), past - 1, model.action_dim, device=device)
    context = Context(first[:, None].expand(-1, past, -1, -1, -1), still)
    images = model.propose(context, last, steps, model.sample_noise(len(first), steps, rng))
    return frames_from_unit(images).permute(0, 1, 3, 4, 2).cpu().numpy()
