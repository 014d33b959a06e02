"""Intervals and p-values against published values."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vfplan.statistics import (
    auroc,
    chi_square_p_value,
    holm,
    mcnemar,
    mean_interval,
    paired_ratio,
    randomised_pit,
    student_t_quantile,
    wilson_interval,
)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (12, 20, 38.7, 78.1),
        (30, 50, 46.2, 72.4),
        (35, 50, 56.2, 80.9),
        (60, 100, 50.2, 69.1),
        (350, 500, 65.8, 73.9),
        (900, 1000, 88.0, 91.7),
    ],
)
def test_wilson_published(successes, trials, low, high):
    interval = wilson_interval(successes, trials)
    assert interval.estimate == successes / trials
    assert (round(100 * interval.low, 1), round(100 * interval.high, 1)) == (low, high)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_newcombe_1998_table_1(successes, trials, low, high):
    """Statistics in Medicine 17, 857-872, method 3."""
    rate, lower, upper = wilson_interval(successes, trials)
    assert rate == successes / trials
    assert (round(lower, 4), round(upper, 4)) == (low, high)


@settings(max_examples=100, deadline=None)
@given(trials=st.integers(1, 2000), share=st.floats(0, 1), confidence=st.floats(0.5, 0.999))
def test_wilson_contains_the_rate_and_mirrors(trials, share, confidence):
    successes = round(share * trials)
    rate, low, high = wilson_interval(successes, trials, confidence)
    assert 0 <= low <= rate <= high <= 1
    mirrored = wilson_interval(trials - successes, trials, confidence)
    assert (mirrored.low, mirrored.high) == pytest.approx((1 - high, 1 - low), abs=1e-12)


@pytest.mark.parametrize(
    ("probability", "degrees", "quantile"),
    [
        (0.975, 1, 12.7062),
        (0.975, 2, 4.3027),
        (0.975, 3, 3.1824),
        (0.975, 4, 2.7764),
        (0.975, 9, 2.2622),
        (0.975, 30, 2.0423),
        (0.975, 120, 1.9799),
        (0.995, 5, 4.0321),
        (0.95, 10, 1.8125),
        (0.9995, 8, 5.0413),
        (0.975, 100_000, 1.9600),
    ],
)
def test_student_t_tables(probability, degrees, quantile):
    assert student_t_quantile(probability, degrees) == pytest.approx(quantile, abs=1e-4)


def test_mean_interval_by_hand():
    """1..5: mean 3, standard error sqrt(2.5 / 5), t = 2.7764."""
    mean, low, high = mean_interval([1, 2, 3, 4, 5])
    assert mean == 3
    assert (low, high) == pytest.approx((3 - 1.96324, 3 + 1.96324), abs=1e-4)


def test_mean_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = [low <= 0 <= high for _, low, high in (mean_interval(row) for row in rng.normal(size=(2000, 8)))]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.015)  # three standard errors


def test_one_value_says_nothing_about_its_spread():
    assert tuple(mean_interval([2.0])) == (2.0, -math.inf, math.inf)


@pytest.mark.parametrize(
    ("b", "c", "p"),
    [
        (1, 7, 0.0703),  # Bentur et al. 2009, in Fagerland, Lydersen and Laake 2013
        (1, 9, 0.0215),  # sign test, 9 of 10
        (5, 15, 0.0414),  # sign test, 15 of 20
        (0, 5, 0.0625),
        (0, 0, 1.0),
        (4, 4, 1.0),
    ],
)
def test_mcnemar_published(b, c, p):
    assert round(mcnemar(b, c), 4) == p
    assert mcnemar(c, b) == mcnemar(b, c)


def test_mcnemar_of_many_episodes_does_not_overflow():
    assert mcnemar(4000, 6000) < 1e-80
    assert mcnemar(5000, 5000) == 1.0


def test_holm_of_the_textbook_example():
    """Four hypotheses at 0.01, 0.04, 0.03, 0.005: times 3, 1, 2, 4, then never less than a smaller one's."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.7, 0.8]) == [1.0, 1.0] and holm([]) == []


def test_the_ratio_of_a_row_to_itself_is_one_without_doubt():
    outcomes = [True] * 7 + [False] * 3
    assert tuple(paired_ratio(outcomes, outcomes, np.random.default_rng(0))) == (1.0, 1.0, 1.0)


def test_a_paired_ratio_is_surer_than_one_of_the_same_rates_on_other_episodes():
    """45 of 100 against 50 of 100: solved within the 50, or only among the others."""
    below = [True] * 50 + [False] * 50
    inside, outside = [True] * 45 + [False] * 55, [False] * 50 + [True] * 45 + [False] * 5
    near, far = (paired_ratio(above, below, np.random.default_rng(1)) for above in (inside, outside))
    assert near.estimate == far.estimate == 0.9
    assert near.low < 0.9 < near.high < 1.0 < far.high and far.low < near.low


def test_the_bootstrap_of_a_ratio_covers_it_as_often_as_it_says():
    """200 experiments of 80 episodes, 60 % and 80 % solved; of 200 intervals at 95 %, 180 or more hold 3/4."""
    rng, held = np.random.default_rng(2), 0
    for _ in range(200):
        luck = rng.random(80)
        _, low, high = paired_ratio(luck < 0.6, (luck < 0.5) | (luck > 0.7), rng, draws=500)
        held += low <= 0.75 <= high
    assert 180 <= held <= 199


def test_a_ratio_to_nothing_is_infinite():
    assert paired_ratio([True, False], [False, False], np.random.default_rng(0)).estimate == math.inf


SCORES = st.lists(st.integers(-4, 4), min_size=1, max_size=12)


@settings(max_examples=200, deadline=None)
@given(positives=SCORES, negatives=SCORES)
def test_auroc_is_the_share_of_pairs_in_the_right_order_with_ties_for_half(positives, negatives):
    pairs = [(high > low) + 0.5 * (high == low) for high in positives for low in negatives]
    assert auroc(positives, negatives) == pytest.approx(np.mean(pairs), abs=1e-12)
    assert auroc(negatives, positives) == pytest.approx(1 - np.mean(pairs), abs=1e-12)


def test_auroc_of_separated_and_of_equal_scores():
    assert auroc([2.0, math.inf], [1.0, -math.inf, -5.0]) == 1
    assert auroc([1.0, 1.0], [1.0]) == 0.5


@pytest.mark.parametrize("samples", [1, 4, 19])
def test_the_randomised_pit_of_one_more_quantised_sample_is_uniform(samples):
    """Poisson counts of mean 1 tie all the time."""
    rng = np.random.default_rng(0)
    draws = rng.poisson(1.0, size=(samples + 1, 40_000))
    places = randomised_pit(draws[0], draws[1:], rng)
    assert places.min() >= 0 and places.max() < 1
    shares = np.histogram(places, bins=10, range=(0, 1))[0] / places.size
    assert np.abs(shares - 0.1).max() < 5 * math.sqrt(0.1 * 0.9 / places.size)


def test_the_pit_of_a_truth_outside_all_samples_is_at_the_end():
    rng = np.random.default_rng(0)
    samples = np.arange(9)[:, None]
    assert randomised_pit(np.array([-1]), samples, rng) < 0.1
    assert randomised_pit(np.array([99]), samples, rng) >= 0.9


@pytest.mark.parametrize(
    "call",
    [
        lambda: wilson_interval(3, 2),
        lambda: wilson_interval(0, 0),
        lambda: wilson_interval(1, 2, 1.0),
        lambda: mean_interval([]),
        lambda: mean_interval([1.0, math.nan]),
        lambda: mcnemar(-1, 2),
        lambda: student_t_quantile(0.3, 5),
        lambda: auroc([], [1.0]),
        lambda: paired_ratio([True], [True, False], np.random.default_rng(0)),
        lambda: auroc([1.0], [math.nan]),
    ],
)
def test_impossible_input_is_refused(call):
    with pytest.raises(ValueError, match="got"):
        call()


@pytest.mark.parametrize("cells", [2, 3, 4, 7, 8, 9])
def test_chi_square_tail_is_that_of_a_sum_of_squared_normals(cells):
    """Q(k/2, x/2), the regularised upper incomplete gamma function, from torch."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(cells)
    expected = rng.uniform(5, 20, cells)
    for scale in (0.0, 0.1, 1.0, 3.0):
        counts = expected + scale * rng.normal(size=cells) * np.sqrt(expected)
        statistic = ((counts - expected) ** 2 / expected).sum()
        shape, half = (torch.tensor(value, dtype=torch.float64) for value in ((cells - 1) / 2, statistic / 2))
        wanted = torch.special.gammaincc(shape, half).item()
        assert chi_square_p_value(counts, expected) == pytest.approx(wanted, rel=1e-9, abs=1e-300)


def test_chi_square_needs_positive_expectations():
    with pytest.raises(ValueError, match="positive expected"):
        chi_square_p_value([1, 2], [3, 0])
