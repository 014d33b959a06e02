"""Every command that the documents and the help texts show is one that its command takes."""

import importlib
import itertools
import re
import shlex
from pathlib import Path

import pytest

from vfplan.cli.words import named
from vfplan.data.__main__ import VERBS

ROOT = Path(__file__).parents[1]
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


def code(path):
    """The lines of code in a document, each whole; those of the help text of a command."""
    text = path.read_text()
    if path.suffix == ".py":
        return text.partition('HELP = """')[2].partition('"""')[0].splitlines()
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    inline = re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    return [*whole("".join(fenced).replace("\\\n", " ").splitlines()), *(span.replace("\n", " ") for span in inline)]


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


def commands(path):
    """The commands in a document, as words: module and arguments."""
    for line in code(path):
        for module, rest in CALL.findall(line):
            rest = rest.partition(" && ")[0]
            words = shlex.split(rest, comments=True) if closed(rest) else []  # else of a command within another
            if any("=" in word for word in words) and not any(PLACEHOLDER.search(word) for word in words):
                yield (module, *words)


SHOWN = {(path.relative_to(ROOT).as_posix(), *words) for path in [*DOCUMENTS, *HELP] for words in commands(path)}


def jobs(words):
    """The overrides of each job of a sweep."""
    parts = [word.partition("=") for word in words if word != "-m"]
    choices = [[f"{key}={each}" for each in value.split(",")] for key, _, value in parts]
    return [list(job) for job in itertools.product(*choices)]


def test_many_commands_are_found():
    assert len(SHOWN) > 100


@pytest.mark.parametrize("shown", sorted(SHOWN), ids=" ".join)
def test_a_command_that_is_shown_is_taken(shown, monkeypatch):
    monkeypatch.setattr("vfplan.execution.executor.PACKAGES", {})  # extras need not be installed here
    _, module, *words = shown
    if module == "vfplan.data":
        subcommand, *words = words
        main = VERBS[subcommand]
    else:
        main = importlib.import_module(module).main
    for overrides in jobs(words) if "-m" in words else [words]:
        main.configuration(named(overrides, main.words) if main.words else overrides)
