"""One thing that was looked at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What was found, and what to do about it."""

    subject: str
    found: str
    fix: str = ""
    """Empty where nothing is wrong."""

    def line(self) -> str:
        """As it is printed."""
        mark = "!!" if self.fix else "ok"
        return f"{mark}  {self.subject:<10} {self.found}"
