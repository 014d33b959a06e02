"""What an offline test is and what it leaves behind: numbers for the file, tables and pictures for the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from vfplan.output.page import Picture, Table
from vfplan.studies.offline.trial import Trial


@dataclass(frozen=True)
class Section:
    """The result of one test."""

    numbers: Mapping[str, Any]
    """For likelihood.json."""
    items: tuple[Table | Picture, ...]
    """For the page, in reading order."""
    lines: tuple[str, ...]
    """For the terminal."""


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
