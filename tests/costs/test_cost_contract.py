"""What holds for every cost: shapes, independent rows, finite values and slopes, no waiting; and what each promises."""

import itertools

import pytest
import torch

from examples.own_cost import RednessConfig
from tests.costs.synthetic import HAND_MOTION, SIZE, TwoLevels, cost_of, goal_of, image
from tests.no_waiting import NoWaiting
from vfplan.costs import (
    ChromaConfig,
    DesignatedPixelConfig,
    DisplacementConfig,
    Goal,
    GoalImageConfig,
    GoalLikelihoodConfig,
    LatentConfig,
    PixelConfig,
    SumConfig,
    Term,
    build_cost,
)
from vfplan.models.rows import Rows

COSTS = {
    "goal_image": GoalImageConfig(),
    "mask": GoalImageConfig(chroma=False, mask=True),
    "chroma_and_mask": GoalImageConfig(mask=True),
    "hand_counted": GoalImageConfig(chroma=False),
    "correlation": GoalImageConfig(distance="correlation"),
    "displacement": DisplacementConfig(),
    "chroma": ChromaConfig(),
    "pixel": PixelConfig(),
    "pixel_of_goal": DesignatedPixelConfig(),
    "pixel_of_current": DesignatedPixelConfig(pattern="current"),
    "pixel_given": DesignatedPixelConfig(pixel=(0.2, 0.3)),
    "latent": LatentConfig(levels=2),
    "latent_mask": LatentConfig(mask=True, hand_radius=0.15),
    "goal_likelihood": GoalLikelihoodConfig(levels=2),
    "sum": SumConfig(terms=(Term("goal_image"), Term("latent", 0.3))),
    "redness": RednessConfig(),
}
ZERO_AT_THE_GOAL = set(COSTS) - {"pixel_of_goal", "pixel_of_current", "pixel_given", "goal_likelihood"}
BLIND_TO_A_GREY_HAND = {
    "goal_image", "chroma_and_mask", "correlation", "displacement", "chroma", "pixel_of_goal", "pixel_of_current",
    "redness",
}  # fmt: skip
BLIND_TO_ANY_MASKED_HAND = {"mask", "chroma_and_mask", "latent_mask"}
SLOPES_EVERYWHERE = {
    "goal_image", "correlation", "mask", "chroma_and_mask", "displacement", "pixel_of_goal", "pixel_of_current",
}  # fmt: skip


def built(name):
    return build_cost(COSTS[name], TwoLevels())


def scene(problems=2, candidates=3, steps=4, seed=0):
    rng = torch.Generator().manual_seed(seed)
    frames = torch.rand(problems, candidates, steps, 3, SIZE, SIZE, generator=rng)
    actions = torch.rand(problems, candidates, steps, 4, generator=rng) * 2 - 1
    goal = torch.rand(problems, 3, SIZE, SIZE, generator=rng)
    seen = torch.rand(problems, 2, 3, SIZE, SIZE, generator=rng)
    return frames, actions, Goal(goal, torch.rand(problems, 2, generator=rng), HAND_MOTION, seen, memory(problems))


def memory(problems):
    return Rows(torch.arange(float(problems))[:, None])


@pytest.mark.parametrize("name", COSTS)
def test_every_problem_and_candidate_is_scored_on_its_own(name):
    cost, (frames, actions, goal) = built(name), scene()
    together = cost(frames, actions, goal)
    assert together.shape == (2, 3) and together.unique().numel() == 6
    for e, n in itertools.product(range(2), range(3)):
        alone = cost(frames[e : e + 1, n : n + 1], actions[e : e + 1, n : n + 1], goal.take(slice(e, e + 1)))
        assert alone.item() == pytest.approx(together[e, n].item(), rel=1e-4)


@pytest.mark.parametrize("name", COSTS)
@pytest.mark.parametrize("shown", ["noise", "empty", "the goal", "black goal", "one step"])
def test_costs_and_their_slopes_are_finite(name, shown):
    frames, actions, goal = scene(steps=1 if shown == "one step" else 4)
    if shown == "empty":
        frames = torch.full_like(frames, 0.75)
    elif shown == "the goal":
        frames = goal.images[:, None, None].expand_as(frames).clone()
    elif shown == "black goal":
        goal = Goal(torch.zeros_like(goal.images), goal.hand, HAND_MOTION, torch.zeros_like(goal.seen), goal.memory)
    frames.requires_grad_()
    actions.requires_grad_()
    costs = built(name)(frames, actions, goal)
    assert costs.isfinite().all()
    if not costs.requires_grad:  # the likelihood of a goal after one step depends on nothing imagined
        assert name == "goal_likelihood" and shown == "one step"
        return
    slopes = torch.autograd.grad(costs.sum(), (frames, actions), allow_unused=True)
    assert all(slope is None or slope.isfinite().all() for slope in slopes)


@pytest.mark.parametrize("name", COSTS)
def test_costs_descend_along_their_slope(name):
    frames, actions, goal = scene()
    frames.requires_grad_()
    cost = built(name)
    before = cost(frames, actions, goal).sum()
    (slope,) = torch.autograd.grad(before, frames)
    step = 1e-3 / slope.abs().max()
    assert cost(frames - step * slope, actions, goal).sum() < before


@pytest.mark.parametrize("name", COSTS)
def test_no_cost_waits_for_the_device(name):
    cost, (frames, actions, goal) = built(name), scene()
    with NoWaiting():
        cost(frames, actions, goal)


@pytest.mark.parametrize("name", COSTS)
def test_no_frame_is_cheaper_than_the_goal_and_misplaced_objects_cost_more(name):
    cost, target = built(name), image((3, 4))
    goal = goal_of(target)
    if name == "goal_likelihood":  # it reads the frame before the last
        pair = [torch.stack([frame, frame])[None, None] for frame in (target, image((8, 9)))]
        at_goal, elsewhere = (cost(frames, torch.zeros(1, 1, 2, 4), goal).item() for frames in pair)
    else:
        at_goal, elsewhere = cost_of(cost, target, goal), cost_of(cost, image((8, 9)), goal)
    assert at_goal < elsewhere - 1e-3
    if name in ZERO_AT_THE_GOAL:
        assert at_goal == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", sorted(BLIND_TO_A_GREY_HAND))
@pytest.mark.parametrize("place", [(3, 4), (11, 6)])
def test_a_grey_hand_does_not_count(name, place):
    cost, goal = built(name), goal_of(image((3, 4)), hand=(0.9, 0.1))
    assert cost_of(cost, image(place, hand_at=(13, 1)), goal) == pytest.approx(
        cost_of(cost, image(place), goal), abs=1e-5
    )


@pytest.mark.parametrize("name", sorted(BLIND_TO_ANY_MASKED_HAND))
def test_a_hand_of_any_colour_does_not_count_where_it_is_masked(name):
    cost, goal = built(name), goal_of(image((3, 4)), hand=(0.75, 0.75))
    frame = image((7, 4))
    with_hand = frame.clone()
    with_hand[:, 11:13, 11:13] = torch.tensor([0.1, 0.8, 0.2])[:, None, None]
    plain = cost_of(cost, frame, goal)
    assert cost_of(cost, with_hand, goal) == pytest.approx(plain, rel=0.02)
    uncovered = goal_of(image((3, 4)), hand=(0.1, 0.9))
    assert cost_of(cost, with_hand, uncovered) > cost_of(cost, frame, uncovered) + 0.05


@pytest.mark.parametrize("name", sorted(SLOPES_EVERYWHERE))
def test_the_cost_falls_all_the_way_as_the_object_comes_near(name):
    # The hand is far from the whole way, and the frames are scored without the term that brings it near.
    cost = build_cost(_without_reach(COSTS[name]))
    goal = goal_of(image((2, 3)), hand=(0.9, 0.9), current=image((13, 3)))
    costs = [cost_of(cost, image((column, 3)), goal) for column in range(2, 14)]
    if name in ("pixel_of_goal", "pixel_of_current", "displacement"):
        costs = costs[:-1]  # in the last column the pattern is cut by the border
    assert all(near < far for near, far in itertools.pairwise(costs))


def _without_reach(config):
    return type(config)(**{**vars(config), "reach": 0.0}) if hasattr(config, "reach") else config
