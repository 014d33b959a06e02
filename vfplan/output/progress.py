"""How far something is: a bar on a terminal, a line a minute in a log, nothing for what takes two seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

from tqdm import tqdm

DELAY = 2.0
EVERY = 60.0
"""Seconds until the first sign, and between lines where no terminal shows a bar."""


class Bar(tqdm):
    """tqdm with rate and time left, that writes no control characters where standard error is no terminal."""

    def __init__(self, *given: Any, disable: bool = False, mininterval: float = 1.0, **settings: Any) -> None:
        self.in_lines = not disable and not sys.stderr.isatty()
        self._begun = self._said = time.monotonic()
        self._after = ""
        super().__init__(*given, disable=disable or self.in_lines, mininterval=mininterval, delay=DELAY, **settings)
        self._first, self._what = self.n, {"desc": "", "unit": "it", **settings}

    def __iter__(self) -> Iterator[Any]:
        """The elements of the iterable."""
        if not self.in_lines:
            yield from super().__iter__()
            return
        for element in self.iterable:
            yield element
            self.update()

    def update(self, n: float = 1) -> None:
        """Count `n` more."""
        if not self.in_lines:
            super().update(n)
            return
        self.n += n
        now = time.monotonic()
        if now - self._said >= EVERY:
            self._said = now
            print(self._line(now - self._begun), file=sys.stderr, flush=True)

    def refresh(self, *given: Any, **settings: Any) -> None:
        """Draw the bar; `write`, which calls this, does not wait for `DELAY` by itself."""
        if time.monotonic() - self._begun >= DELAY:
            super().refresh(*given, **settings)

    def clear(self, *given: Any, **settings: Any) -> None:
        """Take the bar away, where it was drawn."""
        if time.monotonic() - self._begun >= DELAY:
            super().clear(*given, **settings)

    def set_postfix_str(self, s: str = "", refresh: bool = False) -> None:
        """What is said at the end of the bar or line."""
        self._after = s
        if not self.in_lines:
            super().set_postfix_str(s, refresh=False)  # which would not wait for `DELAY`

    def _line(self, seconds: float) -> str:
        """How far it is: `train: 250 of 9000 steps, 4.2 steps/s, 34:45 left, 0.31 bits/dim`."""
        unit, rate = f"{self._what['unit']}s", (self.n - self._first) / seconds
        parts = [f"{self.n:g} of {self.total:g} {unit}" if self.total else f"{self.n:g} {unit}"]
        parts += [f"{rate:.3g} {unit}/s"]
        if self.total and rate > 0:
            parts.append(f"{tqdm.format_interval((self.total - self.n) / rate)} left")
        parts += [self._after] if self._after else []
        return f"{self._what['desc'] or 'so far'}: {', '.join(parts)}"
