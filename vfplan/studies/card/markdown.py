"""Text of files and command lines in Markdown, so that it stays text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from vfplan.errors import said

MOST = 400
SPECIAL = str.maketrans({"`": "'", "|": "¦", "<": "‹", ">": "›"})


def code(value: Any) -> str:
    """A value as code: one line, without what would end it or begin something else."""
    text = " ".join(str(value).split()).translate(SPECIAL)
    return f"`{text if len(text) <= MOST else text[:MOST] + '...'}`"


def plain(value: Any) -> str:
    """A value as a few plain words."""
    return said(str(value).translate(SPECIAL)).replace("[", "(").replace("]", ")").replace("*", "")


def table(rows: Iterable[Sequence[str]], head: str = "") -> str:
    """Two columns."""
    return "\n".join(
        [f"| {head} | |" if head else "| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]
    )


def command(name: str, words: Any) -> str:
    """How a command is written, of the words that started its process: `python -m vfplan.NAME key=value`."""
    given = [str(word) for word in words] if isinstance(words, list) else []
    given = given[3:] if given[:2] == ["python", "-m"] else given[1:]
    return " ".join(["python -m", f"vfplan.{name}", *(_quoted(word) for word in given)])


def _quoted(word: str) -> str:
    return f"'{word}'" if any(letter in word for letter in ' {}&;|<>$"') else word
