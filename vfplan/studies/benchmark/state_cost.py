"""Planning with the simulator as the model and the true distance as the cost: the most that search can reach.

What it misses is the planner's fault; what the simulator with an image cost misses beyond that is the cost's, and what
a learned model misses beyond that is the model's.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from envs.task_set import TaskSet
from vfplan.control.scoring import Scorer, ScoringConfig
from vfplan.control.session import ClosedLoop
from vfplan.costs import Goal
from vfplan.models.oracle import SimulatorOracle, SimulatorState
from vfplan.models.rows import NoNoise

FINAL_WEIGHT, REACH = 5.0, 0.1  # as in the default image cost


class StateCostLoop(ClosedLoop[TaskSet]):
    """A `ClosedLoop` whose plans are judged by true distances; its settings must have model=oracle."""

    def scorer(self, part: TaskSet) -> Scorer:
        """Build the scorer for the tasks of a group."""
        assert isinstance(self.model, SimulatorOracle)
        return StateScorer(self.model, self.config.scoring, part)


class StateScorer(Scorer):
    """Judges plans by where the simulator takes the target object, in m. Nothing is drawn."""

    def __init__(self, oracle: SimulatorOracle, config: ScoringConfig, part: TaskSet) -> None:
        self.oracle, self.config = oracle, config
        index = np.arange(len(part))
        self.target, self.goal_xy = part.target, part.goal_xy[index, part.target]  # (E,), (E, 2)

    def score(self, state: SimulatorState, goal: Goal, rng: torch.Generator) -> Callable[[Tensor], Tensor]:
        """A function from plans (E, N, T, A) to costs (E, N), in m.

        The distance from the goal and, with a small weight, from the hand; the last step weighs more.
        """

        def score(plans: Tensor) -> Tensor:
            problems, candidates, steps = plans.shape[:3]
            simulator = self.oracle.simulator
            rollout = self.oracle.rollout(state.repeat(candidates), plans.flatten(0, 1), NoNoise())
            rows = rollout.states.reshape(problems * candidates * steps, -1)
            shape = (problems, candidates, steps)
            objects = simulator.object_xy(rows).reshape(*shape, -1, 2)
            hand = simulator.hand_xyz(rows)[:, :2].reshape(*shape, 2)
            target = np.take_along_axis(objects, self.target[:, None, None, None, None], axis=3)[:, :, :, 0]
            distance = np.linalg.norm(target - self.goal_xy[:, None, None], axis=-1)
            distance += REACH * np.linalg.norm(target - hand, axis=-1)
            weights = np.ones(steps)
            weights[-1] = FINAL_WEIGHT
            return torch.from_numpy(distance @ weights / weights.sum()).to(plans)

        return score
