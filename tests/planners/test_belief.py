"""What control does to a belief between two plans."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import planners
from tests.no_waiting import NoWaiting
from tests.planners.every_planner import CONFIGS, A, E, T


@pytest.fixture
def belief():
    """Of three problems, after a plan."""
    planner = planners.build(planners.IcemConfig(horizon=4, samples=12, elites=4, keep_elites=0.5), 2)
    cost = lambda plans: (plans - 0.5).square().sum((2, 3))  # noqa: E731
    start = planner.initial_belief(3, "cpu")
    return planner.plan(cost, start, torch.Generator().manual_seed(0)).belief


@settings(max_examples=30, deadline=None)
@given(steps=st.integers(0, T + 2))
def test_shift_drops_what_was_executed_and_repeats_the_last_action(steps):
    mean = torch.arange(E * T * A, dtype=torch.float32).reshape(E, T, A)
    elites = torch.stack([mean, -mean], dim=1)
    initial_std = torch.tensor([0.6, 0.2])
    shifted = planners.Belief(mean, torch.full_like(mean, 0.1), elites, torch.zeros(A), initial_std).shift(steps)
    for t in range(T):
        source = min(t + steps, T - 1)
        assert torch.equal(shifted.mean[:, t], mean[:, source])
        assert torch.equal(shifted.elites[:, :, t], elites[:, :, source])
    assert torch.equal(shifted.std, initial_std.expand(E, T, A))


@pytest.mark.parametrize("name", CONFIGS)
def test_shift_by_less_than_nothing_is_refused(name):
    with pytest.raises(ValueError, match="steps must be at least 0, got -1"):
        planners.build(CONFIGS[name], A).initial_belief(1, "cpu").shift(-1)


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
