"""Displacement: a distance in image widths, which neither hiding nor fading the object shortens."""

from dataclasses import replace

import pytest
import torch

from tests.costs.synthetic import SIZE, cost_of, goal_of, image
from vfplan.costs import Displacement, DisplacementConfig, GoalImage, GoalImageConfig
from vfplan.costs.displacement import AWAY

COST = Displacement(DisplacementConfig(reach=0.0))


def faded(frame, share):
    """The frame with that share of its colour."""
    grey = frame.mean(dim=0, keepdim=True)
    return grey + share * (frame - grey)


@pytest.mark.parametrize("shift", [(1, 0), (0, 4), (5, 5), (6, 3), (7, 0)])
def test_a_shifted_object_costs_its_shift_in_image_widths(shift):
    goal = goal_of(image((4, 4)))
    moved = cost_of(COST, image((4 + shift[0], 4 + shift[1])), goal)
    assert moved == pytest.approx(torch.tensor(shift).float().norm().item() / SIZE, rel=0.06)


def test_fading_changes_nothing_and_vanishing_leaves_it_where_it_was():
    goal, misplaced, now = goal_of(image((4, 4)), current=image((11, 11))), image((9, 9)), image((11, 11))
    whole, *faint, gone = [cost_of(COST, faded(misplaced, share), goal) for share in (1.0, 0.7, 0.4, 0.0)]
    assert faint == pytest.approx([whole, whole], rel=0.02)
    assert gone == pytest.approx(cost_of(COST, now, goal)) and gone > whole


def test_what_comes_out_again_costs_what_it_did_until_then():
    goal, cost = (
        goal_of(image((2, 2)), current=image((12, 2))),
        Displacement(DisplacementConfig(reach=0.0, final_weight=1.0)),
    )
    seen = {at: cost_of(cost, image((at, 2)), goal) for at in (12, 9, 4)}
    frames = torch.stack([image((9, 2)), image(), image(), image((4, 2))])
    expected = (3 * seen[9] + seen[4]) / 4
    assert cost(frames[None, None], torch.zeros(1, 1, 4, 4), goal).item() == pytest.approx(expected)


def test_what_is_hidden_now_is_where_it_was_last_seen():
    goal = goal_of(image((2, 2)))
    hidden, shown = (
        replace(goal, seen=torch.stack(frames)[None]) for frames in ([image((9, 2)), image()], [image((9, 2))])
    )
    assert cost_of(COST, image(), hidden) == pytest.approx(cost_of(COST, image(), shown))
    assert cost_of(COST, image(), hidden) == pytest.approx(7 / SIZE, rel=0.06)


def test_what_was_never_seen_is_far_away():
    assert cost_of(COST, image(), goal_of(image((4, 4)), current=image())) == pytest.approx(AWAY)


def test_an_arm_before_a_misplaced_object_gains_little():
    goal, misplaced = goal_of(image((2, 2))), image((10, 10))
    behind = misplaced.clone()
    behind[:, :, 11:13] = 0.3  # the arm covers one of its two columns
    found, whole = cost_of(COST, behind, goal), cost_of(COST, misplaced, goal)
    assert found == pytest.approx(whole, abs=0.5 / SIZE)


def test_what_is_out_of_place_now_counts_the_most():
    def scene(red, blue):
        frame = image(red)
        column, row = blue
        frame[:, row : row + 2, column : column + 2] = torch.tensor([0.1, 0.3, 0.9])[:, None, None]
        return frame

    goal = goal_of(scene((3, 3), (11, 11)), current=scene((9, 3), (11, 11)))
    red_away, blue_away = (cost_of(COST, frame, goal) for frame in (scene((6, 3), (11, 11)), scene((3, 3), (8, 11))))
    assert red_away > 2 * blue_away > 0


def test_the_squared_distance_rewards_losing_the_object_and_the_correlation_does_not():
    goal, misplaced = goal_of(image((2, 2))), image((12, 12))
    squared = GoalImage(GoalImageConfig(reach=0.0))
    correlation = GoalImage(GoalImageConfig(reach=0.0, distance="correlation"))
    assert cost_of(squared, faded(misplaced, 0.0), goal) < cost_of(squared, misplaced, goal) - 0.3
    assert cost_of(correlation, faded(misplaced, 0.0), goal) >= cost_of(correlation, misplaced, goal) - 1e-3


def test_objects_of_different_colours_are_not_taken_for_each_other():
    def two(first, second):
        frame = image(first)
        column, row = second
        frame[:, row : row + 2, column : column + 2] = torch.tensor([0.1, 0.3, 0.9])[:, None, None]
        return frame

    goal = goal_of(two((3, 3), (11, 11)))
    assert cost_of(COST, two((3, 3), (11, 11)), goal) == pytest.approx(0, abs=1e-6)
    assert cost_of(COST, two((11, 11), (3, 3)), goal) > 0.3


@pytest.mark.parametrize(
    "changes",
    [
        {"hues": 2},
        {"faint": 1.0},
        {"faint": -0.1},
        {"lost": 0.0},
        {"in_place": 0.0},
        {"reach": -1.0},
        {"final_weight": 0.0},
    ],
)
def test_settings_that_make_no_sense_are_refused(changes):
    with pytest.raises(ValueError, match="must"):
        DisplacementConfig(**changes)
