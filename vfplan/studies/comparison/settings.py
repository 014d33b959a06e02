"""What is compared. No torch here: `python -m vfplan.compare --help` reads it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from vfplan.checks import MOST_SEED, require_ranges, within
from vfplan.errors import UserError
from vfplan.overrides import split_overrides

OWN = ("run_dir", "device", "seed", "threads", "checkpoint", "data", "model")
"""What the rows or the comparison itself say."""


@dataclass(frozen=True)
class CompareConfig:
    """Configuration of `vfplan.compare`; the comments in `configs/compare.yaml` say what each key is."""

    data: str
    heldout: str
    models: tuple[str, ...] = ("videoflow", "svg_prime", "multiscale")
    rows: dict[str, str] | None = None
    train: str = ""
    evaluate: str = ""
    plan: str = ""
    seconds: float = within(0, 0, 1e5)
    threads: int = within(0, 0, 1024)
    device: str = "auto"
    seed: int = within(0, 0, MOST_SEED)
    run_dir: str = ""

    def __post_init__(self) -> None:
        require_ranges(self)
        if not self.named():
            raise ValueError("models or rows must name one or more")

    def named(self) -> dict[str, list[str]]:
        """Overrides of `vfplan.train` for each row, the first the one that others are compared with.

        Raises UserError for a name that is given twice or is none, and for overrides that a row cannot have.
        """
        found = {name: [f"model={name}"] for name in self.models}
        if len(found) < len(self.models):
            raise UserError(f"models: a name stands twice in {', '.join(self.models)}")
        for name, text in (self.rows or {}).items():
            if not re.fullmatch(r"\w[\w.+-]*", name) or name in found:
                raise UserError(f"rows: a name is letters, digits and . _ + -, and new; got {name!r}")
            found[name] = _words(text, f"rows.{name}", "train", [key for key in OWN if key != "model"])
        return found

    def words(self, command: str) -> list[str]:
        """The overrides that all rows have of `train`, `evaluate` or `plan`. Raises UserError for what is none."""
        return _words(getattr(self, command), command, command, OWN)


def _words(text: str, where: str, command: str, taken: Sequence[str]) -> list[str]:
    found = split_overrides(text, where, f"vfplan.{command}")
    for word in found:
        if word.partition("=")[0] in taken:
            raise UserError(f"{where}: {', '.join(taken)} are said by the comparison; got {word!r}")
    return found
