"""What takes long is whole at its place or not there, and a killed maker's work is found again."""

import subprocess
import sys

import pytest

from vfplan.errors import BadSourceError, UserError
from vfplan.output.staging import staged_folder

# Dies at the k-th filesystem event; makes two files, unless they are there from before.
KILLED_AT = """
import os, sys
from pathlib import Path
from vfplan.output.folder import write_text
from vfplan.output.staging import staged_folder
events, limit, folder = 0, int(sys.argv[1]), Path(sys.argv[2])
def watch(event, arguments):
    global events
    if event in ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir") and str(folder) in str(arguments[0]):
        events += 1
        if events == limit:
            os._exit(9)
sys.addaudithook(watch)
with staged_folder(folder / "made", {"seed": 0}) as partial:
    for name in "ab":
        if not (partial / name).exists():
            write_text(partial / name, name * 100)
print("finished")
"""


def contents(folder):
    return {path.name: path.read_text() for path in folder.iterdir() if not path.name.startswith(".tmp-")}


def test_a_kill_at_any_event_is_made_good_by_the_same_call(tmp_path):
    for limit in range(1, 100):
        folder = tmp_path / str(limit)
        folder.mkdir()
        first = subprocess.run([sys.executable, "-c", KILLED_AT, str(limit), str(folder)], capture_output=True)
        if (folder / "made").exists():
            assert contents(folder / "made") == {"a": "a" * 100, "b": "b" * 100}
        else:
            assert first.returncode == 9
            subprocess.run([sys.executable, "-c", KILLED_AT, "1000", str(folder)], check=True)
            assert contents(folder / "made") == {"a": "a" * 100, "b": "b" * 100}
        assert [path.name for path in folder.iterdir()] == ["made"]
        if first.returncode == 0:
            break
    assert limit > 8


def test_other_settings_begin_anew(tmp_path):
    with pytest.raises(RuntimeError), staged_folder(tmp_path / "made", {"seed": 0}) as partial:
        (partial / "old").touch()
        raise RuntimeError
    with staged_folder(tmp_path / "made", {"seed": 1}) as partial:
        assert list(partial.iterdir()) == []


def test_bad_data_leave_nothing(tmp_path):
    with pytest.raises(BadSourceError), staged_folder(tmp_path / "new" / "made", {}) as partial:
        (partial / "half").touch()
        raise BadSourceError("not what it should be")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_replaced(tmp_path):
    (tmp_path / "made").touch()
    with pytest.raises(UserError, match="made exists; choose another out="), staged_folder(tmp_path / "made", {}):
        raise AssertionError
