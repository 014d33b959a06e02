"""Rank statistics against known values, and against definitions."""

import itertools

import numpy as np
import pytest

from vfplan.metrics.ranking import bootstrap_interval, concordance, kendall, precision, ranks, regret, spearman

RNG = np.random.default_rng(0)
TRUTHS = RNG.random((40, 32))


def test_ranks_share_ties():
    assert ranks([3.0, 1.0, 3.0, 7.0]).tolist() == [2.5, 1.0, 2.5, 4.0]


def test_rank_correlations_worked_out_by_hand():
    first, second = [1, 2, 3, 4, 5], [2, 1, 3, 5, 4]
    # The squared differences of the ranks sum to 4; of the 10 pairs, 2 are in different order.
    assert spearman(first, second) == pytest.approx(1 - 6 * 4 / (5 * 24))
    assert kendall(first, second) == pytest.approx((8 - 2) / 10)


def test_concordance_judges_only_pairs_with_different_outcomes():
    assert concordance([3.0, 2.0, 2.5], [1.0, 0.0, 2.0]) == pytest.approx(2 / 3)
    for tied in (-1.0, 0.0, 9.0):  # what the cost makes of the last two does not matter
        assert concordance([1.0, 5.0, 5.0 + tied], [0.0, 2.0, 2.0]) == pytest.approx(1)
    assert concordance([1.0, 1.0], [0.0, 1.0]) == pytest.approx(0.5)
    assert concordance([1.0, 2.0], [3.0, 3.0]) == pytest.approx(0.5)
    assert concordance(TRUTHS, TRUTHS) == pytest.approx(1) and concordance(-TRUTHS, TRUTHS) == pytest.approx(0)
    # Without ties it is Kendall's tau on another scale.
    costs = RNG.random(TRUTHS.shape)
    assert np.allclose(2 * concordance(costs, TRUTHS) - 1, kendall(costs, TRUTHS))


@pytest.mark.parametrize("levels", [3, 10, 1000])
def test_correlations_agree_with_scipy_ties_included(levels):
    stats = pytest.importorskip("scipy.stats")
    first, second = RNG.integers(0, levels, (2, 20, 12)).astype(float)
    for a, b, rho, tau in zip(first, second, spearman(first, second), kendall(first, second), strict=True):
        assert rho == pytest.approx(stats.spearmanr(a, b).statistic)
        assert tau == pytest.approx(stats.kendalltau(a, b).statistic)


def test_a_perfect_cost_is_found_perfect():
    for cost in (TRUTHS, np.exp(3 * TRUTHS)):  # only the order counts
        assert np.allclose(spearman(cost, TRUTHS), 1) and np.allclose(kendall(cost, TRUTHS), 1)
        assert np.allclose(regret(cost, TRUTHS), 0) and np.allclose(precision(cost, TRUTHS, 6), 1)


def test_a_reversed_cost_is_found_worst():
    assert np.allclose(spearman(-TRUTHS, TRUTHS), -1) and np.allclose(kendall(-TRUTHS, TRUTHS), -1)
    assert np.allclose(regret(-TRUTHS, TRUTHS), np.ptp(TRUTHS, axis=1)) and np.all(precision(-TRUTHS, TRUTHS, 6) == 0)


def test_a_random_cost_is_found_useless():
    truths = RNG.random((2000, 32))
    costs = RNG.random(truths.shape)
    assert spearman(costs, truths).mean() == pytest.approx(0, abs=0.02)
    assert kendall(costs, truths).mean() == pytest.approx(0, abs=0.02)
    assert precision(costs, truths, 6).mean() == pytest.approx(6 / 32, abs=0.02)
    assert regret(costs, truths).mean() == pytest.approx(0.5 - 1 / 33, abs=0.03)


def test_a_constant_cost_tells_nothing_apart():
    constant = np.zeros_like(TRUTHS)
    assert np.all(spearman(constant, TRUTHS) == 0) and np.all(kendall(constant, TRUTHS) == 0)
    assert np.allclose(regret(constant, TRUTHS), TRUTHS.mean(axis=1) - TRUTHS.min(axis=1))


def test_the_interval_covers_the_mean_when_states_of_an_episode_are_alike():
    covered = 0
    for _ in range(200):
        groups = np.repeat(np.arange(30), 5)
        values = RNG.normal(size=30)[groups] + 0.1 * RNG.normal(size=150)
        _, low, high = bootstrap_interval(values, groups, RNG, resamples=300)
        covered += low <= 0 <= high
    assert covered > 170  # 190 at the nominal level; one that ignores the groups covers half as often


def test_intervals_shrink_with_episodes_not_with_states():
    values = RNG.normal(size=20)
    once = bootstrap_interval(values, np.arange(20), np.random.default_rng(1))
    again = bootstrap_interval(np.repeat(values, 9), np.repeat(np.arange(20), 9), np.random.default_rng(1))
    assert tuple(again) == pytest.approx(tuple(once))


def test_what_cannot_be_ranked_is_refused():
    for count in (0, 33):
        with pytest.raises(ValueError, match="between 1 and 32"):
            precision(TRUTHS, TRUTHS, count)
    with pytest.raises(ValueError, match="at least one"):
        bootstrap_interval([], [], RNG)


def test_only_the_order_of_pairs_counts_for_kendall():
    costs = RNG.random(7)
    truths = RNG.random(7)
    pairs = list(itertools.combinations(range(7), 2))
    agreed = sum(np.sign((costs[i] - costs[j]) * (truths[i] - truths[j])) for i, j in pairs)
    assert kendall(costs, truths) == pytest.approx(agreed / len(pairs))
