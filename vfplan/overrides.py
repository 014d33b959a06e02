"""Overrides in one text, as settings hold them: `planner.samples=64 planner.elites=12`."""

from __future__ import annotations

import shlex

from vfplan.errors import UserError


def split_overrides(text: str, where: str, command: str = "vfplan.plan") -> list[str]:
    """The overrides in a text, which are words as on a command line.

    Raises:
        UserError: that names `where` the text stands, for quotes that are not closed and for words without a value.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UserError(f"{where}: cannot read {text!r}: {str(error).lower()}") from error
    for word in words:
        if "=" not in word:
            raise UserError(f"{where}: expected key=value separated by spaces, as for {command}; got {word!r}")
    return words
