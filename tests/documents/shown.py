"""The commands that the documents and the help texts show."""

import importlib
import itertools
import re
import shlex
from pathlib import Path

from vfplan.data.__main__ import VERBS

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "SECURITY.md",
    *sorted(path for path in (ROOT / "docs").rglob("*.md") if path.name != "log.md"),  # which tells of older versions
    *sorted((ROOT / "vfplan" / "checkpoints").glob("*/README.md")),
]
HELP = sorted(path for path in (ROOT / "vfplan").glob("*.py") if "\nHELP = " in path.read_text())
CALL = re.compile(r"python -m (vfplan\.\w+)(.*)", re.DOTALL)
PLACEHOLDER = re.compile(r"\b[A-Z]{2,}\b|\.\.\.|\$|\|")
"""Of something that the reader has to fill in."""


def shown(path):
    """The commands in a document or help text, each a tuple of words: module and arguments."""
    for line, fenced in code(path):
        for module, rest in CALL.findall(line):
            rest = rest.partition(" && ")[0]
            words = shlex.split(rest, comments=True) if closed(rest) else []  # else of a command within another
            said = (fenced and words) or any("=" in word for word in words)  # else it is only named
            if said and not any(PLACEHOLDER.search(word) for word in words):
                yield (module, *words)


def code(path):
    """The lines of code of a document, each whole, or those of a help text; and whether they stand by themselves."""
    text = path.read_text()
    if path.suffix == ".py":
        yield from ((line, False) for line in text.partition('HELP = """')[2].partition('"""')[0].splitlines())
        return
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    inline = re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    yield from ((line, True) for line in whole("".join(fenced).replace("\\\n", " ").splitlines()))
    yield from ((span.replace("\n", " "), False) for span in inline)


def whole(lines):
    """The lines, those of a command joined until its quotes are closed."""
    begun = ""
    for line in lines:
        begun = f"{begun}\n{line}" if begun else line
        if not CALL.search(begun) or closed(begun):
            yield begun
            begun = ""


def closed(text):
    try:
        return bool(shlex.split(text, comments=True))
    except ValueError:
        return False


def main_of(module, words):
    """The command that is called, and its arguments."""
    if module == "vfplan.data":
        return VERBS[words[0]], list(words[1:])
    return importlib.import_module(module).main, list(words)


def jobs(words):
    """The overrides of each job of a sweep."""
    parts = [word.partition("=") for word in words if word != "-m"]
    choices = [[f"{key}={each}" for each in value.split(",")] for key, _, value in parts]
    return [list(job) for job in itertools.product(*choices)]
