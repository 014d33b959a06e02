"""A run folder is claimed before any work: by one process, and only where it can be written."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import fields

import pytest

from tests.commands.every_setting import GIVEN, main_of
from tests.commands.tiny import TINY
from tests.refusal import refused
from vfplan.errors import UserError
from vfplan.output.claim import claimed
from vfplan.train import main as train

WITH_A_FOLDER = [name for name in GIVEN if "run_dir" in {field.name for field in fields(main_of(name).schema)}]
HOLD = "import sys; from pathlib import Path; from vfplan.output.claim import claimed\n"
HOLD += "with claimed(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"


@pytest.fixture
def held(tmp_path):
    """A folder that another process holds, and that process."""
    given = [sys.executable, "-c", HOLD, str(tmp_path / "run")]
    with subprocess.Popen(given, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        yield tmp_path / "run", holder
        holder.kill()


@pytest.mark.parametrize("command", WITH_A_FOLDER)
def test_no_command_works_in_a_folder_of_another(command, held, capsys):
    folder, holder = held
    message = refused(capsys, main_of(command), [*GIVEN[command], f"run_dir={folder}"])
    assert message.startswith(f"{folder} is in use by process {holder.pid} on {socket.gethostname()} since ")


@pytest.mark.parametrize("command", WITH_A_FOLDER)
@pytest.mark.parametrize("place", ["/proc/x", "a_file", "a_file/below"])
def test_no_command_works_where_it_cannot_write(command, place, tmp_path, capsys):
    (tmp_path / "a_file").write_text("kept")
    message = refused(capsys, main_of(command), [*GIVEN[command], f"run_dir={tmp_path / place}"])
    assert message.startswith(f"cannot write to run_dir {tmp_path / place}: ")
    assert (tmp_path / "a_file").read_text() == "kept" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere; /proc stands in for it")
def test_a_folder_without_write_permission_is_one_line(tmp_path, capsys):
    tmp_path.chmod(0o500)
    assert "cannot write to run_dir" in refused(capsys, main_of("plan"), [f"run_dir={tmp_path}"])


def test_a_command_that_writes_nothing_leaves_no_folder(tmp_path, capsys):
    refused(capsys, main_of("plan"), ["checkpoint=nowhere", f"run_dir={tmp_path / 'new' / 'run'}"])
    assert not list(tmp_path.iterdir())


def test_the_lock_goes_with_its_process(store, held):
    folder, holder = held
    holder.kill()
    holder.wait()
    train([f"data={store}", f"run_dir={folder}", *TINY])
    assert not list(folder.glob(".lock*"))


def test_a_lock_leaves_when_the_body_fails(tmp_path):
    with pytest.raises(RuntimeError), claimed(tmp_path):
        raise RuntimeError
    with claimed(tmp_path):
        assert json.loads((tmp_path / ".lock.json").read_text())["host"] == socket.gethostname()
        with pytest.raises(UserError, match="is in use by"), claimed(tmp_path):
            raise AssertionError
