"""Where true values fall among samples of a model, counted: the probability integral transform and coverage.

For every value (a pixel's channel, a coordinate of the object) the truth's place among S samples is a number u in
[0, 1) that is uniform if truth and samples are drawn from the same distribution. Values are split into those that
change and those that do not by a rule that treats truth and samples alike, because a rule that looked at the truth
alone would spoil the uniformity even of a perfect model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfplan.statistics import Estimate, randomised_pit

LEVELS = (0.5, 0.8, 0.95)
BINS = 10


@dataclass(frozen=True)
class Counts:
    """How many of a group's values per episode and step fell where; steps can be pooled by adding."""

    bins: NDArray[np.int64]
    """(N, T, BINS) of u."""
    inside: NDArray[np.int64]
    """(N, T, len(LEVELS)), in the central intervals."""

    @classmethod
    def of(cls, places: NDArray[np.float64], group: NDArray[np.bool_]) -> Counts:
        """From u (N, T, V) and which of them are in the group."""
        index = np.minimum((places * BINS).astype(np.int64), BINS - 1)
        bins = np.stack([((index == k) & group).sum(axis=2) for k in range(BINS)], axis=2)
        off_centre = np.abs(places - 0.5)
        inside = np.stack([((off_centre <= level / 2) & group).sum(axis=2) for level in LEVELS], axis=2)
        return cls(bins, inside)

    @classmethod
    def joined(cls, parts: list[Counts]) -> Counts:
        """The counts of several sets of episodes."""
        return cls(np.concatenate([part.bins for part in parts]), np.concatenate([part.inside for part in parts]))

    def pooled(self, steps: slice) -> Counts:
        """The counts over the chosen steps, as one."""
        return Counts(self.bins[:, steps].sum(axis=1, keepdims=True), self.inside[:, steps].sum(axis=1, keepdims=True))

    @property
    def total(self) -> int:
        """Number of values."""
        return int(self.bins.sum())

    @property
    def histogram(self) -> NDArray[np.float64]:
        """Density of u (BINS,) over all episodes and steps: 1 everywhere for a calibrated model."""
        counts = self.bins.sum(axis=(0, 1))
        return BINS * counts / max(1, counts.sum())

    @property
    def deviation(self) -> float:
        """Total variation distance of the histogram from the uniform one: 0 is calibrated, near 1 is hopeless."""
        return float(np.abs(self.histogram - 1).sum() / (2 * BINS))

    def coverage(self) -> list[Estimate]:
        """Share of values in each central interval, with its interval over episodes."""
        totals = self.bins.sum(axis=(1, 2))
        some = totals > 0
        return [Estimate.of_shares(inside / totals[some]) for inside in self.inside[some].sum(axis=1).T]


def split(
    truth: NDArray[Any], samples: NDArray[Any], last: NDArray[Any], change: float, rng: np.random.Generator
) -> tuple[Counts, Counts]:
    """Counts of the changing and of the static values of one episode.

    Args:
        truth: (T, V).
        samples: (S, T, V).
        last: (V,), the values in the last known frame.
        change: a value changes at a step if truth, samples and last value are farther apart than this.
        rng: of the randomised PIT.
    """
    places = randomised_pit(truth, samples, rng)
    high = np.maximum(np.maximum(samples.max(axis=0), truth), last).astype(np.float64)
    low = np.minimum(np.minimum(samples.min(axis=0), truth), last).astype(np.float64)
    changing = high - low > change
    valid = np.isfinite(high)
    of_changing, of_still = (Counts.of(places[None], (group & valid)[None]) for group in (changing, ~changing))
    return of_changing, of_still
