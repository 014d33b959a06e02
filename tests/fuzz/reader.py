"""A kind of file that comes from others, and how a command reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Reader:
    """One kind of file."""

    make: Callable[[Path], None]
    """Fills an empty folder with what is valid."""
    file: str
    """The one that is changed."""
    read: Callable[[Path], object]
    """Reads the folder as a command does."""
    mend: Callable[[Path], None] = lambda folder: None
    """Makes checksums right again, as somebody would who means harm."""
