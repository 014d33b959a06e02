"""Every command that the documents and the help texts show is one that its command takes."""

import pytest

from tests.documents.shown import DOCUMENTS, HELP, ROOT, jobs, main_of, shown
from vfplan.cli.words import named

SHOWN = {(path.relative_to(ROOT).as_posix(), *words) for path in [*DOCUMENTS, *HELP] for words in shown(path)}


def test_many_commands_are_found():
    assert len(SHOWN) > 200


@pytest.mark.parametrize("command", sorted(SHOWN), ids=" ".join)
def test_a_command_that_is_shown_is_taken(command, monkeypatch):
    monkeypatch.setattr("vfplan.execution.executor.PACKAGES", {})  # extras need not be installed here
    _, module, *words = command
    main, words = main_of(module, words)
    for overrides in jobs(words) if "-m" in words else [words]:
        main.configuration(named(overrides, main.words) if main.words else overrides)
