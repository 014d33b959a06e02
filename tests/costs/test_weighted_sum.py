"""Sums of costs, and the one line that says what is wrong with one."""

import pytest
import torch

from tests.costs.synthetic import TwoLevels, goal_of, image
from vfplan.costs import CONFIGS, LatentConfig, SumConfig, Term, build_cost, config_of
from vfplan.errors import UserError

FRAMES, ACTIONS = image((9, 9))[None, None, None], torch.zeros(1, 1, 1, 4)


def test_a_sum_is_the_sum_of_its_weighted_terms():
    settings = {"blurs": (0.1,), "reach": 0.0}
    total = build_cost(SumConfig(terms=(Term("goal_image", 0.5, settings), Term("pixel", 3.0))))
    parts = [build_cost(config_of("goal_image", settings, CONFIGS)), build_cost(config_of("pixel", {}, CONFIGS))]
    first, second = (part(FRAMES, ACTIONS, goal_of(image((3, 3)))) for part in parts)
    assert total(FRAMES, ACTIONS, goal_of(image((3, 3)))) == pytest.approx((0.5 * first + 3.0 * second).item())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("goal_imag",), "unknown cost 'goal_imag'; did you mean 'goal_image'"),
        (("sum",), "unknown cost 'sum'"),
        (("goal_image", 1.0, {"blur": 1}), "unknown key 'goal_image.blur'; did you mean 'goal_image.blurs'"),
        (("goal_image", 1.0, {"distance": "cosine"}), "goal_image.distance"),
    ],
)
def test_a_term_that_does_not_exist_is_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        Term(*arguments)


def test_weights_are_positive_and_sums_not_empty():
    with pytest.raises(ValueError, match="weight must be in"):
        Term("pixel", 0.0)
    with pytest.raises(ValueError, match="one or more"):
        SumConfig(terms=())


@pytest.mark.parametrize("name", ["latent", "goal_likelihood"])
def test_costs_that_look_into_a_model_need_one_that_lets_them(name):
    with pytest.raises(UserError, match=f"cost {name} looks into the latents of a learned flow; this model has none"):
        build_cost(SumConfig(terms=(Term(name),)))


def test_more_levels_than_there_are_are_refused():
    cost = build_cost(LatentConfig(levels=3), TwoLevels())
    with pytest.raises(UserError, match="levels=3, but at this scale there are 2; lower"):
        cost(FRAMES, ACTIONS, goal_of(image((3, 3))))
