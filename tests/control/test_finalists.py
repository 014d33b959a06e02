"""A cheap and an expensive score put together, on functions that need no model."""

import pytest
import torch

from tests.no_waiting import NoWaiting
from vfplan.control.finalists import with_finalists

PROBLEMS, CANDIDATES, COUNT = 3, 12, 4


def plans(seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(PROBLEMS, CANDIDATES, 5, 2, generator=rng, dtype=torch.float64) * 2 - 1


def cheap(plans):
    return plans[..., 0].sum(-1)


def exact(plans):
    """In another unit than the cheap score, and of another opinion."""
    return 100.0 + 10.0 * plans[..., 1].square().sum(-1)


def chosen(plans, count=COUNT):
    """(E, N): which are finalists, by sorting."""
    place = cheap(plans).argsort(dim=1).argsort(dim=1)
    return place < count


def test_finalists_cost_what_the_expensive_score_says():
    given = plans()
    costs = with_finalists(cheap, exact, COUNT)(given)
    assert torch.equal(costs[chosen(given)], exact(given)[chosen(given)])


def test_no_other_candidate_is_cheaper_than_a_finalist_and_their_order_stays():
    for seed in range(20):
        given = plans(seed)
        costs, final = with_finalists(cheap, exact, COUNT)(given), chosen(given)
        for row in range(PROBLEMS):
            rest = costs[row, ~final[row]]
            assert rest.min() >= costs[row, final[row]].max()
            before = cheap(given)[row, ~final[row]]
            assert torch.allclose(rest - rest.min(), before - before.min(), atol=1e-10)


def test_candidates_tied_with_the_last_finalist_do_not_pass_it():
    given = plans()[:, :1].expand(-1, CANDIDATES, -1, -1)
    costs = with_finalists(cheap, exact, COUNT)(given.float())
    assert torch.equal(costs, exact(given.float()))


def test_where_all_are_finalists_the_cheap_score_is_not_asked():
    def fails(plans):
        raise AssertionError("asked")

    given = plans()
    assert torch.equal(with_finalists(fails, exact, CANDIDATES)(given), exact(given))


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_what_either_score_rejects_stays_rejected(bad):
    given, cheap_bad, exact_bad = plans(), torch.zeros(CANDIDATES), torch.zeros(COUNT)
    cheap_bad[0], exact_bad[1] = bad, bad
    costs = with_finalists(lambda p: cheap(p) + cheap_bad, lambda p: exact(p) + exact_bad, COUNT)(given)
    assert costs[:, 0].isinf().all()
    assert costs.isfinite().sum(1).tolist() == [CANDIDATES - 2] * PROBLEMS


def test_where_every_finalist_is_rejected_the_others_keep_their_cheap_costs():
    given = plans()
    costs = with_finalists(cheap, lambda p: torch.full(p.shape[:2], torch.nan, dtype=p.dtype), COUNT)(given)
    final = chosen(given)
    assert costs[final].isinf().all()
    assert torch.allclose(costs[~final], cheap(given)[~final])


def test_fewer_accepted_candidates_than_finalists_are_enough():
    only = torch.full((CANDIDATES,), torch.nan, dtype=torch.float64)
    only[3] = 0.0
    given = plans()
    costs = with_finalists(lambda p: cheap(p) + only, exact, COUNT)(given)
    assert torch.equal(costs[:, 3], exact(given)[:, 3])
    assert costs.isfinite().sum() == PROBLEMS


def test_gradients_are_those_of_the_score_that_decided():
    given = plans().requires_grad_()
    with_finalists(cheap, exact, COUNT)(given).sum().backward()
    final = chosen(given.detach())
    alone = given.detach().clone().requires_grad_()
    torch.where(final, exact(alone), cheap(alone)).sum().backward()
    assert torch.allclose(given.grad, alone.grad)


def test_nothing_waits_for_the_device():
    given = plans()
    with NoWaiting():
        with_finalists(cheap, exact, COUNT)(given)
