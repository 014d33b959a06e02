"""Keeps what a planner looked at while episodes run. Draws nothing and changes nothing.

E problem (episode), K kept candidate, N candidate, T step, A action.
"""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from planners.base import Plan, Scored, cheapest
from vfplan.control.scoring import ROWS_OF_A_CPU
from vfplan.control.searches import Searches
from vfplan.costs import Goal
from vfplan.models.base import Context, WorldModel
from vfplan.pixels import area_average, frames_from_unit, unit_from_frames

CHEAPEST = 3


class SearchRecorder:
    """Hears of every planning of E episodes in lockstep; make a new one for every group."""

    def __init__(self, model: WorldModel, downscale: int) -> None:
        self.model, self.downscale = model, downscale
        self._kept: dict[str, list[NDArray[np.generic]]] = {field.name: [] for field in fields(Searches)}

    @torch.inference_mode()
    def note(self, context: Context, goal: Goal, plan: Plan) -> None:
        """Keep what was looked at to make a plan. Plans that an alarm asks for in between are not heard of."""
        plans, costs = _a_few(plan.last)
        images = {
            "futures": self._futures(context, plans),
            "seen": area_average(unit_from_frames(context.frames[:, -1]), self.downscale),
            "goals": area_average(goal.images, self.downscale),
        }
        numbers = {name: getattr(plan.trace, name) for name in ("best", "mean", "rejected")}
        numbers |= {"plans": plans, "costs": costs}
        for name, value in numbers.items():
            self._kept[name].append((value if name == "rejected" else value.float()).cpu().numpy())
        for name, value in images.items():
            self._kept[name].append(frames_from_unit(value.float()).movedim(-3, -1).cpu().numpy())

    def record(self) -> Searches:
        """Everything heard of so far; at least one planning."""
        return Searches(**{name: np.stack(values) for name, values in self._kept.items()})

    def _futures(self, context: Context, plans: Tensor) -> Tensor:
        """The thumbnails (E, K, T, C, y, x) that the model expects of plans (E, K, T, A), at temperature 0."""
        problems, count, steps = plans.shape[:3]
        state, per_call = self.model.encode(context), max(1, ROWS_OF_A_CPU // count)
        parts = []
        for first in range(0, problems, per_call):
            part = slice(first, min(first + per_call, problems))
            actions = plans[part].flatten(0, 1)
            noise = self.model.sample_noise(len(actions), steps, None, downscale=self.downscale)
            rollout = self.model.rollout(state.take(part).repeat(count), actions, noise, downscale=self.downscale)
            parts.append(self.model.decode(rollout).unflatten(0, (-1, count)))
        return torch.cat(parts)


def _a_few(scored: Scored) -> tuple[Tensor, Tensor]:
    """Of N candidates the cheapest, best first, and then the costliest that was not rejected: (E, K, T, A), (E, K)."""
    plans, costs = cheapest(scored.plans, scored.costs, min(CHEAPEST, scored.costs.shape[1]))
    worst = torch.where(scored.costs.isfinite(), scored.costs, -torch.inf).argmax(dim=1, keepdim=True)
    index = worst[:, :, None, None].expand(-1, -1, *scored.plans.shape[2:])
    return (
        torch.cat([plans, scored.plans.gather(1, index)], dim=1),
        torch.cat([costs, scored.costs.gather(1, worst)], dim=1),
    )
