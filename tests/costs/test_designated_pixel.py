"""The designated pixel: found again wherever its surroundings go."""

import pytest

from tests.costs.synthetic import SIZE, cost_of, goal_of, image
from vfplan.costs import DesignatedPixel, DesignatedPixelConfig, Goal
from vfplan.errors import UserError

EXACT = {"softness": 0.005}


@pytest.mark.parametrize("pattern", ["current", "goal"])
@pytest.mark.parametrize("place", [(4, 4), (9, 4), (7, 8), (11, 11)])
def test_the_cost_is_the_distance_from_the_goal_in_image_widths(pattern, place):
    cost = DesignatedPixel(DesignatedPixelConfig(pattern=pattern, **EXACT))
    goal = goal_of(image((4, 4)), current=image((10, 9)))
    expected = ((place[0] - 4) ** 2 + (place[1] - 4) ** 2) ** 0.5 / SIZE
    assert cost_of(cost, image(place), goal) == pytest.approx(expected, abs=1e-3)


def test_of_two_objects_the_one_that_has_to_move_is_designated():
    def two(first, second):
        frame, other = image(first), image(second)
        differs = (other - image()).abs().sum(dim=0) > 0
        frame[:, differs] = 0.9 * other[:, differs].flip(0)  # blue
        return frame

    cost = DesignatedPixel(DesignatedPixelConfig(**EXACT))
    goal = goal_of(two((3, 3), (11, 3)), current=two((3, 3), (11, 11)))
    assert cost_of(cost, two((3, 3), (11, 3)), goal) < 0.01
    assert cost_of(cost, two((3, 9), (11, 3)), goal) < 0.01  # the red one does not matter
    assert cost_of(cost, two((3, 3), (11, 9)), goal) == pytest.approx(6 / SIZE, abs=0.01)


def test_a_lost_object_is_expected_anywhere():
    cost = DesignatedPixel(DesignatedPixelConfig())
    goal = goal_of(image((7, 7)))
    assert 0.25 < cost_of(cost, image(), goal) < 0.55


def test_a_given_pixel_is_followed_instead():
    target = image((4, 4))
    target[:, 12:14, 12:14] = target[:, 4:6, 4:6].flip(0)
    moved = target.clone()
    moved[:, 12:14, 12:14] = 0.75
    moved[:, 12:14, 8:10] = target[:, 12:14, 12:14]
    cost = DesignatedPixel(DesignatedPixelConfig(pixel=(0.8, 0.8), **EXACT))
    assert cost_of(cost, moved, goal_of(target, current=image((9, 9)))) == pytest.approx(4 / SIZE, abs=0.01)


def test_without_the_current_frame_it_says_what_is_missing():
    cost = DesignatedPixel(DesignatedPixelConfig())
    with pytest.raises(UserError, match="needs the current frame"):
        cost_of(cost, image((3, 3)), Goal(image((4, 4))[None]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pattern": "start"}, "one of current, goal; got 'start'"),
        ({"pixel": (0.5, 1.5)}, r"in \[0, 1\]"),
        ({"patch": 4}, "odd"),
        ({"softness": 0.0}, "softness must be in"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        DesignatedPixelConfig(**changes)
