"""What a card keeps of the one before: texts between markers, which are comments that no reader sees."""

from __future__ import annotations

import re

TEXTS = ("about", "recipe", "results", "measured", "limits")


def kept(card: str) -> dict[str, str]:
    """The texts between `<!-- NAME -->` and `<!-- /NAME -->`, by name."""
    found = {}
    for name in TEXTS:
        match = re.search(rf"<!-- {name} -->\n(.*?)\n?<!-- /{name} -->", card, re.DOTALL)
        if match:
            found[name] = match[1]
    return found


def marked(name: str, text: str) -> str:
    """A text between its markers."""
    return f"<!-- {name} -->\n{text}\n<!-- /{name} -->" if text else f"<!-- {name} -->\n<!-- /{name} -->"
