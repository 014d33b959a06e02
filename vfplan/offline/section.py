"""What an offline test is and what it leaves behind: numbers for the file, tables and pictures for the page."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from vfplan.statistics import mean_interval

if TYPE_CHECKING:
    from vfplan.offline.trial import Trial


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


@dataclass(frozen=True)
class Table:
    """Rows of text under a header, and a sentence that says what they mean and what good looks like."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    sentence: str


@dataclass(frozen=True)
class Picture:
    """An encoded image (PNG or GIF by the file's name), and a sentence that says what it shows."""

    file: str
    content: bytes
    sentence: str


@dataclass(frozen=True)
class Section:
    """The result of one test."""

    numbers: Mapping[str, Any]
    """For likelihood.json."""
    items: tuple[Table | Picture, ...]
    """For the page, in reading order."""
    lines: tuple[str, ...]
    """For the terminal."""


class NotApplicableError(Exception):
    """A test cannot be made with this model or store; the message says why and is shown in place of the result."""


@dataclass(frozen=True)
class Test:
    """An offline test. `measure` may raise NotApplicableError; anything else it raises is a fault."""

    name: str
    """Key of its numbers in likelihood.json."""
    title: str
    question: str
    """What it asks of the model: the first sentence of its section."""
    measure: Callable[[Trial], Section]


def line(label: str, value: str) -> str:
    """One line for the terminal."""
    return f"  {label:<36} {value}"
