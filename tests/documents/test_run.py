"""Every command that the documents show runs, made small, from what its reader has by then."""

from importlib.util import find_spec

import pytest

from tests.documents.reader import Reader, written
from tests.documents.shown import DOCUMENTS, shown

COMMANDS = sorted({command for path in DOCUMENTS for command in shown(path)})
LIBRARIES = {
    "executor=ray": "ray",
    "executor=slurm": "submitit",
    "env=pusht": "gym_pusht",
    "format=lerobot": "pyarrow",
    "lossy=true": "av",
    "tensorboard=true": "tensorboard",
}
"""What some words ask for that is not installed with vfplan."""


@pytest.fixture(scope="session")
def reader(tmp_path_factory):
    return Reader(tmp_path_factory.mktemp("reader"), COMMANDS)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_that_is_shown_runs(command, reader, tmp_path):
    for word in command:
        if word in LIBRARIES and find_spec(LIBRARIES[word]) is None:
            pytest.skip(f"{word} needs {LIBRARIES[word]}")
    reader.run(command, tmp_path)
    for path in written(command):
        assert (tmp_path / path).exists()
