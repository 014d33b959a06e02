"""Words of a command line that are no `key=value`: a command may take them for the values of one key."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vfplan.errors import UserError


def named(arguments: Sequence[str], key: str) -> list[str]:
    """The arguments with all words as one list under `key`; an existing path is a word, whatever is in its name.

    Raises UserError where the key is given as well.
    """
    words = [word for word in arguments if _is_word(word)]
    rest = [word for word in arguments if not _is_word(word)]
    if not words:
        return rest
    if any(word.startswith(f"{key}=") for word in rest):
        raise UserError(f"{words[0]} stands beside {key}=; give all of them in one of the two ways")
    return [f"{key}=[{','.join(map(_quoted, words))}]", *rest]


def _is_word(text: str) -> bool:
    return not text.startswith(("-", "~")) and ("=" not in text or Path(text).exists())


def _quoted(word: str) -> str:
    """A text as Hydra reads it back."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${")
    return f'"{escaped}"'
