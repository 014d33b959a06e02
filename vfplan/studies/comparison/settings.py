"""What is compared. No torch here: `python -m vfplan.compare --help` reads it."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from vfplan.checks import MOST_SEED, require_ranges, within
from vfplan.errors import UserError

OWN = ("run_dir", "device", "seed", "threads", "checkpoint", "data", "model")
"""What the rows or the comparison say."""


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
        for name, text in (self.rows or {}).items():
            if not re.fullmatch(r"\w[\w.+-]*", name) or name in found:
                raise UserError(f"rows: a name is letters, digits and . _ + -, and new; got {name!r}")
            found[name] = words(text, f"rows.{name}", but=("model",))
        return found


def words(text: str, where: str, *, but: tuple[str, ...] = ()) -> list[str]:
    """The overrides in a text. Raises UserError for what is none, or is the same for all rows."""
    try:
        found = shlex.split(text)
    except ValueError as error:
        raise UserError(f"{where}: cannot read {text!r}: {str(error).lower()}") from error
    for word in found:
        key, equals, _ = word.partition("=")
        if not equals or (key in OWN and key not in but):
            raise UserError(f"{where}: expected key=value of other keys than {', '.join(OWN)}; got {word!r}")
    return found
