"""A planner that looks a few steps ahead is led by images that a model proposes."""

import numpy as np
import torch

import planners
from tests.control.test_control import GOALS, SCORING, BlobModel, draw, problem
from vfplan.control.agent import plan_episodes
from vfplan.control.controller import Controller
from vfplan.control.scoring import Scorer
from vfplan.control.settings import ControlConfig
from vfplan.control.subgoals import Subgoals
from vfplan.costs import GoalImage, GoalImageConfig
from vfplan.models.base import Context, ProposingModel

CONFIG, HORIZON = ControlConfig(steps=10, replan_every=2), 3


class StraightModel(BlobModel):
    """Proposes that the blob moves straight to its goal."""

    def propose(self, context, goal, steps, noise):
        start = self.encode(context).values
        there = self.encode(Context(goal[:, None], torch.zeros(len(goal), 1, 4))).values
        share = torch.arange(1, steps + 1)[None, :, None] / steps
        return draw(start[:, None] + share * (there - start)[:, None])


def subgoals(episodes):
    return Subgoals(StraightModel(), episodes, CONFIG, HORIZON, None, torch.device("cpu"))


def test_each_planning_aims_as_far_as_it_looks():
    """At steps 3, 5, 7 and 9; what would lie behind the end is the goal itself."""
    assert isinstance(StraightModel(), ProposingModel)
    episodes = problem()
    way = subgoals(episodes)
    aims = [way.renew(episodes.goal_images) for _ in range(5)]
    assert way.images.shape == (3, 10, 16, 16, 3)
    for aim, step in zip(aims, (3, 5, 7, 9), strict=False):
        np.testing.assert_array_equal(aim, way.images[:, step - 1])
    assert aims[4] is episodes.goal_images


def test_a_short_sighted_planner_is_led_to_the_goal():
    planner = planners.build(planners.IcemConfig(horizon=HORIZON, samples=32), 4)
    scorer = Scorer(StraightModel(), GoalImage(GoalImageConfig()), SCORING)
    controller = Controller(StraightModel(), planner, scorer, CONFIG, torch.Generator().manual_seed(0))
    episodes = problem()
    trajectory = plan_episodes(episodes, controller, renew=subgoals(episodes).renew)
    for infos, goal in zip(trajectory.infos, GOALS, strict=True):
        assert np.linalg.norm(infos[-1]["position"] - goal) < 1.5
