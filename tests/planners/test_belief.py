"""What control does to a belief between two plans."""

import pytest
import torch

import planners
from tests.no_waiting import NoWaiting


@pytest.fixture
def belief():
    """Of three problems, after a plan."""
    planner = planners.build(planners.IcemConfig(horizon=4, action_dim=2, samples=12, elites=4, keep_elites=0.5))
    cost = lambda plans: (plans - 0.5).square().sum((2, 3))  # noqa: E731
    start = planner.initial_belief(3, "cpu")
    return planner.plan(cost, start, torch.Generator().manual_seed(0)).belief


def test_forgetting_starts_the_marked_problems_cold_and_leaves_the_others(belief):
    cold = belief.forget(torch.tensor([False, True, False]))
    assert (cold.mean[1] == 0).all() and (cold.elites[1] == 0).all()
    assert torch.equal(cold.std[1], belief.initial_std.expand(4, 2))
    for name in ("mean", "std", "elites"):
        assert torch.equal(getattr(cold, name)[[0, 2]], getattr(belief, name)[[0, 2]])
        assert (getattr(belief, name)[1] != getattr(cold, name)[1]).any()  # nothing is changed in place


def test_put_is_the_inverse_of_take(belief):
    some = torch.tensor([2, 0])
    blank = belief.forget(torch.tensor([True, True, True]))
    back = blank.put(some, belief.take(some))
    for name in ("mean", "std", "elites"):
        assert torch.equal(getattr(back, name)[some], getattr(belief, name)[some])
        assert torch.equal(getattr(back, name)[1], getattr(blank, name)[1])


def test_nothing_waits_for_the_device(belief):
    some, marked = torch.tensor([2, 0]), torch.tensor([True, False, True])
    with NoWaiting():
        belief.put(some, belief.forget(marked).take(some))
