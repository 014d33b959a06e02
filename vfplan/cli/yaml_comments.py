"""What the comments of a YAML file say about its keys."""

from __future__ import annotations

import re
from pathlib import Path

# A value ends at the first # that follows a blank and is not within quotes.
VALUE = r"""(?:"(?:[^"\\\n]|\\.)*"|(?<!\w)'(?:[^'\n]|'')*'|[^"'#\n]|(?<=\w)'|(?<=\S)#)*"""
LINE = re.compile(rf"^( *)(\w+):{VALUE}(?:(?<=\s)#\s*(.+))?$", flags=re.MULTILINE)


def yaml_comments(path: Path) -> dict[str, str]:
    """The trailing comment of every `key: value  # comment` line, by dotted key."""
    found: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for indent, key, comment in LINE.findall(path.read_text()):
        above = [(depth, name) for depth, name in above if depth < len(indent)]
        above.append((len(indent), key))
        if comment:
            found[".".join(name for _, name in above)] = comment.strip()
    return found
