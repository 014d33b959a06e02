"""Which card. No torch here: `python -m vfplan.card --help` reads it."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class CardConfig:
    """Configuration of `vfplan.card`; the comments in `configs/card.yaml` say what each key is."""

    checkpoint: str
    results: tuple[str, ...] | str = ()
    license: str = "apache-2.0"
    out: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9][a-z0-9.+-]{0,40}", self.license):
            raise ValueError(
                f"license must be an identifier of the Hub, as apache-2.0 or mit; got {self.license[:80]!r}"
            )
