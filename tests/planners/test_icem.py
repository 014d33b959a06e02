"""Each trick of iCEM does what its switch says."""

import dataclasses

import pytest
import torch

import planners

E, T, A = 2, 6, 2
# keep_elites 0.5 of 4: two plans return.
CONFIG = planners.IcemConfig(T, samples=12, elites=4, keep_elites=0.5)


class Recorder:
    """A score that remembers what it was asked and what it answered."""

    def __init__(self, cost=lambda plans: plans.square().sum(dim=(2, 3))):
        self.cost, self.plans, self.costs = cost, [], []

    def __call__(self, plans):
        self.plans.append(plans.clone())
        self.costs.append(self.cost(plans))
        return self.costs[-1]


def run(score, belief=None, **changes):
    planner = planners.build(dataclasses.replace(CONFIG, **changes), A)
    belief = planner.initial_belief(E, "cpu") if belief is None else belief
    return planner.plan(score, belief, torch.Generator().manual_seed(0))


def best_of(plans, costs, count):
    order = costs.argsort(dim=1)[:, :count]
    return torch.stack([plans[e, order[e]] for e in range(len(plans))])


def test_kept_elites_join_the_next_iteration():
    score = Recorder()
    run(score)
    for i in range(2):
        assert torch.equal(score.plans[i + 1][:, :2], best_of(score.plans[i], score.costs[i], 2))


def test_a_lucky_plan_is_scored_again_and_not_believed():
    """The first call answers -100 to one plan by luck; trusting that old cost would execute it."""
    calls = []

    def score(plans):
        costs = plans.square().sum(dim=(2, 3))
        if not calls:
            lucky = costs.argmax(dim=1)
            calls.append(plans[torch.arange(E), lucky])
            costs[torch.arange(E), lucky] = -100.0
        return costs

    result = run(score)
    assert (result.trace.best[0] == -100).all()
    assert (result.cost > 0).all()
    assert not torch.equal(result.actions, calls[0])


def test_keeping_none_draws_all_afresh():
    score = Recorder()
    result = run(score, keep_elites=0.0)
    assert result.belief.elites.shape == (E, 0, T, A)
    assert not torch.equal(score.plans[1][:, :2], best_of(score.plans[0], score.costs[0], 2))


@pytest.mark.parametrize("shift_elites", [True, False])
def test_elites_survive_into_the_next_call_if_switched_on(shift_elites):
    belief = run(Recorder(), shift_elites=shift_elites).belief.shift(1)
    score = Recorder()
    run(score, belief, shift_elites=shift_elites)
    assert torch.equal(score.plans[0][:, :2], belief.elites) == shift_elites


@pytest.mark.parametrize("add_mean", [True, False])
def test_mean_is_a_candidate_in_the_last_iteration_only(add_mean):
    centre = torch.full((E, T, A), 0.25)
    start = dataclasses.replace(planners.build(CONFIG, A).initial_belief(E, "cpu"), mean=centre)
    for iterations, last in ((1, 0), (2, 1)):
        score = Recorder(lambda plans: torch.full(plans.shape[:2], torch.nan))  # the belief stays where it is
        run(score, start, add_mean=add_mean, iterations=iterations)
        present = [bool((plans == centre[:, None]).all(dim=(2, 3)).any()) for plans in score.plans]
        # Rejected elites give way to the mean, so without add_mean it is still among the kept of iteration 1.
        assert present[last] == (add_mean or iterations == 2)
        assert not any(present[:last])


def test_the_best_or_the_mean_is_executed():
    score = Recorder()
    best = run(score)
    assert torch.equal(best.actions, best_of(score.plans[-1], score.costs[-1], 1)[:, 0])
    mean = run(Recorder(), execute="mean")
    assert torch.equal(mean.actions, mean.belief.mean)
    torch.testing.assert_close(mean.cost, score.costs[-1].sort(dim=1).values[:, :4].mean(dim=1))


def test_rejected_elites_are_not_kept():
    centre = torch.full((E, T, A), 0.25)
    start = dataclasses.replace(planners.build(CONFIG, A).initial_belief(E, "cpu"), mean=centre)
    result = run(lambda plans: torch.full(plans.shape[:2], torch.nan), start)
    assert torch.equal(result.belief.elites, centre[:, None].expand(E, 2, T, A))


def test_with_every_switch_off_it_is_cem():
    off = {"noise_beta": 0.0, "keep_elites": 0.0, "shift_elites": False, "add_mean": False}
    icem = run(Recorder(), **off)
    cem = planners.build(planners.CEMConfig(T, samples=12, elites=4), A)
    plain = cem.plan(Recorder(), cem.initial_belief(E, "cpu"), torch.Generator().manual_seed(0))
    assert torch.equal(icem.actions, plain.actions)
    assert torch.equal(icem.belief.std, plain.belief.std)


def test_refit_is_the_published_update():
    """One iteration by hand: mean and population std of the elites, mixed with the old at weight momentum."""
    score = Recorder()
    belief = run(score, iterations=1, momentum=0.25, min_std=0.0).belief
    elites = best_of(score.plans[0], score.costs[0], 4)
    torch.testing.assert_close(belief.mean, 0.75 * elites.mean(dim=1))
    torch.testing.assert_close(belief.std, 0.75 * elites.std(dim=1, correction=0) + 0.25 * 0.6)


def test_std_never_falls_below_its_floor():
    belief = run(Recorder(), iterations=20, min_std=0.07).belief
    assert belief.std.min().item() == pytest.approx(0.07)
