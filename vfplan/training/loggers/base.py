"""What training asks of a logger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Logger(Protocol):
    """Takes numbers by name; a run that goes on may log a step again that it had reached before it was stopped."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Note the numbers of a step."""

    def close(self) -> None:
        """Write what is not written yet."""
