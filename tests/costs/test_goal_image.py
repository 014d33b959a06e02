"""Distance to the goal image: blurs, scales, the term that brings the hand near, and where the hand is."""

import itertools

import numpy as np
import pytest
import torch

from envs.push import PushEnv
from tests.costs.synthetic import image
from vfplan.control.proprioception import Proprioception
from vfplan.costs import Goal, GoalImage, GoalImageConfig, Pixel, PixelConfig
from vfplan.errors import UserError


def cost_of(cost, frame, goal, **proprioception):
    return cost(frame[None, None, None], torch.zeros(1, 1, 1, 4), Goal(goal[None], **proprioception)).item()


@pytest.mark.parametrize("cost", [GoalImage(GoalImageConfig()), Pixel(PixelConfig())], ids=["goal_image", "pixel"])
def test_cost_is_zero_at_the_goal_and_positive_elsewhere(cost):
    goal = image((3, 4))
    assert cost_of(cost, goal, goal) == pytest.approx(0, abs=1e-9)
    assert cost_of(cost, image((5, 4)), goal) > 0.01


def test_goal_image_does_not_count_a_grey_hand_and_pixel_does():
    goal = image((3, 4))
    with_hand = image((3, 4), hand_at=(10, 10))
    assert cost_of(GoalImage(GoalImageConfig()), with_hand, goal) == pytest.approx(0, abs=1e-9)
    assert cost_of(Pixel(PixelConfig()), with_hand, goal) > 0.1


def test_the_blur_pyramid_descends_all_the_way_to_the_goal():
    goal = image((2, 7))
    costs = [cost_of(GoalImage(GoalImageConfig()), image((column, 7)), goal) for column in range(2, 14)]
    assert all(near < far for near, far in itertools.pairwise(costs))
    sharp = GoalImage(GoalImageConfig(blurs=(0.0,)))
    plateau = [cost_of(sharp, image((column, 7)), goal) for column in range(5, 14)]
    assert max(plateau) - min(plateau) < 1e-6  # without blur there is nothing to descend


def test_every_pyramid_scale_reaches_about_the_same_value_far_away():
    goal = image((1, 1))
    for blur in (0.0, 0.0625):
        cost = GoalImage(GoalImageConfig(blurs=(blur,)))
        assert cost_of(cost, image((13, 13)), goal) == pytest.approx(2.0, rel=0.05)


def test_the_reach_term_prefers_a_hand_near_the_misplaced_object():
    cost, goal, frame = GoalImage(GoalImageConfig()), image((2, 2)), image((10, 10))
    motion = torch.eye(2) * 0.1

    def at(hand):
        return cost_of(cost, frame, goal, hand=torch.tensor([hand]), hand_motion=motion)

    object_centre = 11 / 16
    assert at((object_centre, object_centre)) < at((0.4, 0.6)) < at((0.1, 0.1))


def test_the_reach_term_vanishes_once_the_object_is_in_place():
    cost, goal = GoalImage(GoalImageConfig()), image((2, 2))
    far = cost_of(cost, goal, goal, hand=torch.tensor([[0.9, 0.9]]), hand_motion=torch.eye(2) * 0.1)
    assert far == pytest.approx(0, abs=1e-9)


def test_the_last_step_weighs_more():
    goal, near, far = image((3, 4)), image((3, 4)), image((9, 9))
    actions = torch.zeros(1, 1, 2, 4)

    def cost(weight, first, last):
        frames = torch.stack([first, last])[None, None]
        return Pixel(PixelConfig(final_weight=weight))(frames, actions, Goal(goal[None])).item()

    assert cost(1.0, far, near) == pytest.approx(cost(1.0, near, far))
    assert cost(5.0, near, far) == pytest.approx(5 * cost(5.0, far, near))


def test_a_mask_without_proprioception_is_refused():
    with pytest.raises(UserError, match="needs to know where the hand is"):
        cost_of(GoalImage(GoalImageConfig(mask=True)), image((3, 4)), image((3, 4)))


def test_more_colour_than_the_goal_has_gains_nothing_in_the_correlation():
    cost, goal = GoalImage(GoalImageConfig(distance="correlation", reach=0.0)), image((3, 4))
    vivid = goal + 0.5 * (goal - goal.mean(dim=0))
    assert cost_of(cost, vivid, goal) >= cost_of(cost, goal, goal) - 1e-6


def test_proprioception_finds_the_hand_in_the_image():
    env = PushEnv()
    body = Proprioception.from_description(env.description())
    env.reset(seed=3)
    visible, hidden = env.render().astype(int), env.render(hand_visible=False).astype(int)
    rows, columns = np.nonzero(np.abs(visible - hidden).sum(axis=2) > 30)
    seen = (np.array([columns.mean(), rows.mean()]) + 0.5) / 64
    # The finger stands 6 cm tall, so the middle of what is seen of it lies a little beyond its foot.
    assert np.abs(body.locate(env.hand_xyz[None, :2])[0] - seen).max() < 0.06
    moved = body.locate(np.array([[0.05, 0.0]]))[0] - body.locate(np.array([[0.0, 0.0]]))[0]
    assert np.allclose(body.motion[:, 0], moved, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"blurs": ()}, "one or more"),
        ({"blurs": (-1.0,)}, "blurs must be in"),
        ({"reach": -1.0}, "reach must be in"),
        ({"distance": "cosine"}, "one of squared, correlation; got 'cosine'"),
        ({"hand_radius": 0.0}, "hand_radius must be in"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        GoalImageConfig(**changes)
