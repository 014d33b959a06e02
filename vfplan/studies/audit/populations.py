"""The candidates that a planner really scored, as witnesses of an episode: what costs are judged on.

E problem, N candidate, T step, A action, S simulator state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from planners.base import Plan, Planner
from vfplan.control.agent import plan_episodes
from vfplan.control.controller import Controller
from vfplan.control.finalists import Score
from vfplan.control.loop import Problem
from vfplan.control.scoring import Scorer
from vfplan.control.settings import ControlConfig
from vfplan.costs import Goal
from vfplan.models.base import Context


@dataclass(frozen=True)
class Moment:
    """One planning for E problems."""

    states: NDArray[np.float64]
    """(E, S) where the simulators were."""
    context: Context
    goal: Goal
    first: Tensor
    """(E, N, T, A), the candidates of the first iteration."""
    last: Tensor
    """(E, N, T, A), those of the last one."""


class Recorder:
    """A scorer that keeps every population it is asked about."""

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer
        self.populations: list[Tensor] = []

    def score(self, state: Any, goal: Goal, rng: torch.Generator) -> Score:
        """The scorer's own function, which keeps what it is asked; older populations are forgotten."""
        score = self.scorer.score(state, goal, rng)
        self.populations = []

        def recorded(plans: Tensor) -> Tensor:
            self.populations.append(plans.detach().clone())
            return score(plans)

        return recorded


def moments(
    problem: Problem,
    planner: Planner,
    scorer: Scorer,
    config: ControlConfig,
    rng: torch.Generator,
    progress: Callable[[int], Any],
) -> list[Moment]:
    """Run the episodes of E problems; every planning on the way."""
    recorder, found = Recorder(scorer), []

    def remember(context: Context, goal: Goal, plan: Plan) -> None:
        found.append(Moment(problem.states(), context, goal, recorder.populations[0], recorder.populations[-1]))

    controller = Controller(scorer.model, planner, recorder, config, rng)
    plan_episodes(problem, controller, imagine=False, progress=progress, on_plan=remember)
    return found
