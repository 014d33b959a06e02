"""Intervals and tests for results over episodes. Exact where a formula exists; numpy only, nothing to be tuned."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Interval:
    """An estimate with its two-sided confidence interval, all in the unit of the data; unpacks as a triple."""

    estimate: float
    low: float
    high: float

    def __iter__(self) -> Iterator[float]:
        return iter((self.estimate, self.low, self.high))


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """Success rate with Wilson's score interval, which stays inside [0, 1] and is fair for few trials.

    Raises ValueError unless 0 <= successes <= trials and trials >= 1. Reference: Wilson, Probable Inference, the Law of
    Succession, and Statistical Inference, 1927.
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"need 0 <= successes <= trials and trials >= 1, got {successes} of {trials}")
    z = NormalDist().inv_cdf(_upper_quantile(confidence))
    rate = successes / trials
    scale = 1 + z**2 / trials
    centre = (rate + z**2 / (2 * trials)) / scale
    margin = z / scale * math.sqrt(rate * (1 - rate) / trials + z**2 / (4 * trials**2))
    # At 0 and at all successes the bound is the rate itself; rounding must not put it beyond.
    low = 0.0 if successes == 0 else centre - margin
    high = 1.0 if successes == trials else centre + margin
    return Interval(rate, low, high)


def mean_interval(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """Mean of `values`, one per episode, with Student's t interval; from one value alone it is unbounded.

    Raises ValueError for no values or non-finite ones: an episode without a result must be dealt with, not averaged.
    """
    data: NDArray[np.float64] = np.asarray(values, dtype=np.float64).ravel()
    if data.size == 0 or not np.isfinite(data).all():
        raise ValueError(
            f"need at least one value and all of them finite, got {np.isfinite(data).sum()} of {data.size}"
        )
    upper = _upper_quantile(confidence)
    mean = float(data.mean())
    if data.size == 1:
        return Interval(mean, -math.inf, math.inf)
    standard_error = float(data.std(ddof=1)) / math.sqrt(data.size)
    margin = student_t_quantile(upper, data.size - 1) * standard_error
    return Interval(mean, mean - margin, mean + margin)


@dataclass(frozen=True)
class Estimate:
    """A mean over episodes with its 95 % interval; no bounds from a single episode."""

    mean: float
    low: float | None
    high: float | None

    @classmethod
    def of(cls, values: ArrayLike) -> Estimate:
        """From one finite value per episode."""
        interval = mean_interval(values)
        bounded = math.isfinite(interval.low)
        return cls(interval.estimate, interval.low if bounded else None, interval.high if bounded else None)

    @classmethod
    def of_shares(cls, values: ArrayLike) -> Estimate:
        """As `of`, for shares: the interval does not leave [0, 1]."""
        found = cls.of(values)
        low, high = (None if bound is None else min(1.0, max(0.0, bound)) for bound in (found.low, found.high))
        return cls(found.mean, low, high)

    def scaled(self, factor: float) -> Estimate:
        """In another unit."""
        low, high = (None if bound is None else factor * bound for bound in (self.low, self.high))
        return Estimate(factor * self.mean, low, high)

    def text(self, digits: int) -> str:
        """`mean [low, high]`, rounded."""
        if self.low is None or self.high is None:
            return f"{self.mean:.{digits}f}"
        return f"{self.mean:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]"


def mcnemar(b: int, c: int) -> float:
    """Exact two-sided p-value that two methods tried on the same episodes are equally good.

    `b` episodes were solved by the first method only, `c` by the second only; those where both agree say nothing.
    Without any difference p is 1. Raises ValueError for negative counts. Reference: McNemar 1947, the binomial form.
    """
    if b < 0 or c < 0:
        raise ValueError(f"counts must be at least 0, got {b} and {c}")
    trials = b + c
    tail = sum(math.comb(trials, k) for k in range(min(b, c) + 1))
    return min(1.0, 2 * tail / 2**trials)  # integers of any size, so the quotient is exact to the last digit


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values of several tests, adjusted so that the chance of any false discovery among them is controlled.

    Reference: Holm, A Simple Sequentially Rejective Multiple Test Procedure, 1979.
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def paired_ratio(
    first: ArrayLike, second: ArrayLike, rng: np.random.Generator, *, draws: int = 10_000, confidence: float = 0.95
) -> Interval:
    """Ratio of two sums over the same episodes (of successes: of two rates), with a bootstrap interval over episodes.

    The interval is that of percentiles. Infinite where the second never succeeds, in a draw too: an upper bound of
    infinity is an answer. Raises ValueError for no episodes or sums' parts (N,) of different length. Reference: Efron
    and Tibshirani, An Introduction to the Bootstrap, 1993.
    """
    above, below = (np.asarray(side, dtype=np.float64) for side in (first, second))
    if above.ndim != 1 or above.shape != below.shape or not above.size:
        raise ValueError(f"need two outcomes of each of the same episodes, got shapes {above.shape} and {below.shape}")
    # Each draw counts how often it holds each episode: (draws, N), so that a sum over a draw is a product.
    counts = rng.multinomial(above.size, np.full(above.size, 1 / above.size), size=draws)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.nan_to_num((counts @ above) / (counts @ below), nan=math.inf, posinf=math.inf)
        estimate = float(np.nan_to_num(above.sum() / below.sum(), nan=math.inf, posinf=math.inf))
    upper = _upper_quantile(confidence)
    low, high = np.quantile(ratios, [1 - upper, upper], method="inverted_cdf")
    return Interval(estimate, float(low), float(high))


def chi_square_p_value(counts: ArrayLike, expected: ArrayLike) -> float:
    """P-value of Pearson's chi-square test that `counts` (k,) have the expected values (k,), which have the same sum.

    Raises ValueError for fewer than two cells or an expected value that is not positive. Reference: Pearson 1900; the
    tail in closed form, Abramowitz and Stegun 1964, 26.4.4 and 26.4.5.
    """
    found, wanted = np.asarray(counts, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    if found.shape != wanted.shape or found.size < 2 or not (wanted > 0).all():
        raise ValueError(f"need two cells or more with positive expected counts, got {wanted.tolist()}")
    half = float(((found - wanted) ** 2 / wanted).sum()) / 2
    degrees = found.size - 1
    tail = math.erfc(math.sqrt(half)) if degrees % 2 else 0.0
    term = 2 * math.sqrt(half / math.pi) if degrees % 2 else 1.0
    for i in range(degrees // 2):
        tail += math.exp(-half) * term
        term *= half / (i + (1.5 if degrees % 2 else 1.0))
    return min(1.0, tail)


def auroc(positives: ArrayLike, negatives: ArrayLike) -> float:
    """Probability that a random positive scores higher than a random negative, ties counting half; exact.

    This is the area under the ROC curve, computed from mid-ranks. Raises ValueError if either side is empty or holds
    NaN; infinities are scores like any other. Reference: Mann and Whitney 1947; Hanley and McNeil 1982.
    """
    high, low = (np.asarray(side, dtype=np.float64).ravel() for side in (positives, negatives))
    if not high.size or not low.size or np.isnan(high).any() or np.isnan(low).any():
        raise ValueError(f"need scores without NaN on both sides, got {high.size} and {low.size}")
    _, place, counts = np.unique(np.concatenate([high, low]), return_inverse=True, return_counts=True)
    mid_ranks = np.cumsum(counts) - (counts - 1) / 2
    wins = mid_ranks[place[: high.size]].sum() - high.size * (high.size + 1) / 2
    return float(wins / (high.size * low.size))


def randomised_pit(truth: NDArray[Any], samples: NDArray[Any], rng: np.random.Generator) -> NDArray[np.float64]:
    """Where each value of `truth` (...) falls in the distribution that `samples` (S, ...) were drawn from, in [0, 1).

    The rank of the truth among the S + 1 values, spread at random over its own share of the unit interval and over that
    of the samples it ties with. Uniform if and only if truth and samples are exchangeable, for quantised values and any
    S. Reference: Czado, Gneiting and Held, Predictive Model Assessment for Count Data, 2009; Hamill 2001 for ranks.
    """
    below, ties = (samples < truth).sum(axis=0), (samples == truth).sum(axis=0)
    return (below + rng.random(truth.shape) * (ties + 1)) / (len(samples) + 1)


def student_t_quantile(probability: float, degrees: int) -> float:
    """The value that Student's t with `degrees` >= 1 degrees of freedom stays below with `probability` in [1/2, 1)."""
    if not 0.5 <= probability < 1 or degrees < 1:
        raise ValueError(f"need 0.5 <= probability < 1 and degrees >= 1, got {probability} and {degrees}")
    within = 2 * probability - 1
    low, high = 0.0, math.pi / 2
    # The distribution is a finite sum in the angle, which is bounded where t is not: halve to the last digit.
    for _ in range(60):
        angle = (low + high) / 2
        low, high = (angle, high) if _probability_within(angle, degrees) < within else (low, angle)
    return math.sqrt(degrees) * math.tan((low + high) / 2)


def _probability_within(angle: float, degrees: int) -> float:
    """P(|t| <= sqrt(degrees) tan(angle)). Reference: Abramowitz and Stegun 1964, 26.7.3 and 26.7.4."""
    odd = degrees % 2
    # Factors of consecutive terms: 1/2, 3/4, 5/6... for even degrees and 2/3, 4/5, 6/7... for odd ones.
    numerator = np.arange(1 + odd, degrees - 2, 2, dtype=np.float64)
    terms = np.cumprod(np.concatenate([[1.0], numerator / (numerator + 1) * math.cos(angle) ** 2]))
    if not odd:
        return float(math.sin(angle) * terms.sum())
    series = math.sin(angle) * math.cos(angle) * terms.sum() if degrees > 1 else 0.0
    return float(2 / math.pi * (angle + series))


def _upper_quantile(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, got {confidence}")
    return (1 + confidence) / 2
