"""The candidates that a planner really scored, as witnesses of an episode: what costs are judged on.

E problem, N candidate, T step, A action, S simulator state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from planners.base import Plan, Planner
from vfplan.control.loop import Controller, Environment
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


class Witness(Controller):
    """A controller that remembers the first and the last candidates of every planning."""

    def __init__(
        self,
        environments: Sequence[Environment],
        planner: Planner,
        scorer: Scorer,
        config: ControlConfig,
        rng: torch.Generator,
    ) -> None:
        self.recorder = _Recorder(scorer)
        super().__init__(scorer.model, planner, self.recorder, config, rng)
        self.environments = environments
        self.moments: list[Moment] = []

    def plan(self, context: Context, goal: Goal) -> Plan:
        """Plan as every controller does, and remember."""
        self.recorder.populations.clear()
        states = np.stack([environment.get_state() for environment in self.environments])
        plan = super().plan(context, goal)
        populations = self.recorder.populations
        self.moments.append(Moment(states, context, goal, populations[0], populations[-1]))
        return plan


class _Recorder(Scorer):
    """A scorer that keeps every population it is asked about."""

    def __init__(self, scorer: Scorer) -> None:
        super().__init__(scorer.model, scorer.cost, scorer.config)
        self.populations: list[Tensor] = []

    def score(self, state: Any, goal: Goal, rng: torch.Generator) -> Callable[[Tensor], Tensor]:
        score = super().score(state, goal, rng)

        def recorded(plans: Tensor) -> Tensor:
            self.populations.append(plans.detach().clone())
            return score(plans)

        return recorded
