"""How well costs rank candidates: correlation of ranks, what the cheapest one loses, which elites are true ones.

Arrays end in N candidates; leading axes are states. Lower costs and lower truths are better.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vfplan.statistics import Interval

Floats = NDArray[np.float64]


def ranks(values: ArrayLike) -> Floats:
    """Ranks (..., N) from 1 on; equal values share the mean of their ranks."""
    rows = np.asarray(values, dtype=np.float64)
    below = (rows[..., None, :] < rows[..., :, None]).sum(axis=-1)
    equal = (rows[..., None, :] == rows[..., :, None]).sum(axis=-1)
    return np.asarray(below + (equal + 1) / 2)


def spearman(costs: ArrayLike, truths: ArrayLike) -> Floats:
    """Spearman's rank correlation (...), in [-1, 1]; 0 where either is constant, which tells nothing apart."""
    first, second = (row - row.mean(axis=-1, keepdims=True) for row in (ranks(costs), ranks(truths)))
    return _ratio((first * second).sum(axis=-1), (first**2).sum(axis=-1), (second**2).sum(axis=-1))


def kendall(costs: ArrayLike, truths: ArrayLike) -> Floats:
    """Kendall's tau-b (...), in [-1, 1]: as `spearman`, from the order of pairs, ties corrected for (Kendall 1945)."""
    first, second = _orders(costs), _orders(truths)
    return _ratio((first * second).sum(axis=(-2, -1)), (first**2).sum(axis=(-2, -1)), (second**2).sum(axis=(-2, -1)))


def concordance(costs: ArrayLike, truths: ArrayLike) -> Floats:
    """Share (...) of the pairs with different truths that the costs put in the right order, equal costs counting half.

    What costs make of candidates with equal truths does not matter, unlike in `spearman` and `kendall`. Useless costs
    have 1/2 (Harrell's index of concordance, 1982); so has everything where all truths are equal.
    """
    first, second = _orders(costs), _orders(truths)
    pairs = (second**2).sum(axis=(-2, -1))
    return np.asarray(0.5 + 0.5 * (first * second).sum(axis=(-2, -1)) / np.maximum(pairs, 1.0))


def regret(costs: ArrayLike, truths: ArrayLike) -> Floats:
    """How much worse (...) the cheapest candidate is than the truly best one, in the unit of the truths.

    Of several cheapest candidates, their mean.
    """
    prices, outcomes = np.asarray(costs, dtype=np.float64), np.asarray(truths, dtype=np.float64)
    cheapest = prices == prices.min(axis=-1, keepdims=True)
    return np.asarray((cheapest * outcomes).sum(axis=-1) / cheapest.sum(axis=-1) - outcomes.min(axis=-1))


def precision(costs: ArrayLike, truths: ArrayLike, count: int) -> Floats:
    """Share (...) of the `count` cheapest candidates that are among the `count` truly best; ties in truth all count.

    Raises ValueError unless 1 <= count <= N.
    """
    prices, outcomes = np.asarray(costs, dtype=np.float64), np.asarray(truths, dtype=np.float64)
    if not 1 <= count <= prices.shape[-1]:
        raise ValueError(f"count must be between 1 and {prices.shape[-1]}; got {count}")
    elites = np.argsort(prices, axis=-1, kind="stable")[..., :count]
    limit = np.sort(outcomes, axis=-1)[..., count - 1 : count]
    return np.asarray((np.take_along_axis(outcomes, elites, axis=-1) <= limit).mean(axis=-1))


def bootstrap_interval(
    values: ArrayLike, groups: ArrayLike, rng: np.random.Generator, resamples: int = 2000
) -> Interval:
    """Mean of values (S,) with a 95 % percentile interval, whole groups (S,) drawn with replacement.

    States of one episode are alike, so that each alone would promise too much. Raises ValueError for no values.
    Reference: Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8.
    """
    data, labels = np.asarray(values, dtype=np.float64), np.asarray(groups)
    if data.size == 0:
        raise ValueError("need at least one value")
    _, member = np.unique(labels, return_inverse=True)
    sums, sizes = np.bincount(member, weights=data), np.bincount(member)
    drawn = rng.integers(len(sizes), size=(resamples, len(sizes)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return Interval(float(data.mean()), float(low), float(high))


def _orders(values: ArrayLike) -> Floats:
    """Which of each two candidates is larger, (..., N, N): 1, 0 or -1."""
    rows = np.asarray(values, dtype=np.float64)
    return np.asarray(np.sign(rows[..., :, None] - rows[..., None, :]))


def _ratio(product: Floats, first: Floats, second: Floats) -> Floats:
    scale = np.sqrt(first * second)
    return np.asarray(np.where(scale > 0, product / np.where(scale > 0, scale, 1.0), 0.0))
