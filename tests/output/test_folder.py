"""Files and folders are whole or absent, whatever kills the writer."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from vfplan.output.folder import (
    RunDir,
    published_folder,
    read_metrics,
    remove_temporary,
    write_bytes,
    write_json,
    write_text,
)

# Dies at the k-th filesystem event, as a SIGKILL would; prints 'finished' if the work ends before.
KILLED_AT = """
import os, sys
from pathlib import Path
from vfplan.output.folder import published_folder, write_bytes
events, limit, folder = 0, int(sys.argv[1]), Path(sys.argv[2])
def watch(event, arguments):
    global events
    if event in ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir") and str(folder) in str(arguments[0]):
        events += 1
        if events == limit:
            os._exit(9)
sys.addaudithook(watch)
write_bytes(folder / "value.json", b"new" * 1000)
with published_folder(folder / "shard") as temporary:
    (temporary / "a").write_bytes(b"a")
    (temporary / "b").write_bytes(b"b")
print("finished")
"""


def test_a_kill_at_any_filesystem_event_leaves_the_old_state_or_the_new(tmp_path):
    for limit in range(1, 100):
        folder = tmp_path / str(limit)
        folder.mkdir()
        (folder / "value.json").write_bytes(b"old")
        process = subprocess.run(
            [sys.executable, "-c", KILLED_AT, str(limit), str(folder)], capture_output=True, text=True, env=os.environ
        )
        assert (folder / "value.json").read_bytes() in (b"old", b"new" * 1000)
        assert not (folder / "shard").exists() or {path.name for path in (folder / "shard").iterdir()} == {"a", "b"}
        remove_temporary(folder)
        assert {path.name for path in folder.iterdir()} <= {"value.json", "shard"}
        if "finished" in process.stdout:
            break
        assert process.returncode == 9, process.stderr
    assert 8 < limit < 99, "the fault was never injected, or the work never ended"


def test_a_body_that_raises_publishes_nothing(tmp_path):
    with pytest.raises(RuntimeError), published_folder(tmp_path / "shard") as temporary:
        (temporary / "half").write_text("x")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_keeps_the_old_file_and_leaves_no_temporary(tmp_path):
    write_text(tmp_path / "a", "old")
    with pytest.raises(ValueError, match="Out of range"):
        write_json(tmp_path / "a", float("nan"))
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "old"


@dataclass(frozen=True)
class Config:
    steps: int = 3
    out: Path = Path("x")


def test_a_run_folder_appears_with_its_first_result(tmp_path):
    run = RunDir(tmp_path / "run", Config())
    assert not run.path.exists()
    assert run.write_json("results.json", {"success": 0.5}) == run.path / "results.json"
    assert json.loads((run.path / "config.json").read_text()) == {"steps": 3, "out": "x"}
    provenance = json.loads((run.path / "provenance.json").read_text())
    assert set(provenance) == {"command", "commit", "python", "versions", "time_utc"}
    assert "numpy" in provenance["versions"]


def test_metrics_survive_a_cut_line(tmp_path):
    run = RunDir(tmp_path, Config())
    run.append_metrics({"step": 1, "loss": 2.0})
    with run.file("metrics.jsonl").open("a") as file:
        file.write('{"step": 2, "lo')
    RunDir(tmp_path, Config()).append_metrics({"step": 2})
    assert read_metrics(tmp_path / "metrics.jsonl") == [{"step": 1, "loss": 2.0}, {"step": 2}]


def test_only_what_writers_left_is_removed(tmp_path):
    """The mark at the end of the name is ours; files of others that begin alike stay."""
    (tmp_path / "episodes").mkdir()
    left = [tmp_path / ".tmp-results.json-0123abcd", tmp_path / "episodes" / ".tmp-a-deadbeef"]
    others = [tmp_path / ".tmp-notes", tmp_path / "notes.tmp-a-deadbeef"]
    for path in [*left, *others]:
        path.write_text("x")
    remove_temporary(tmp_path, depth=1)
    assert not any(path.exists() for path in left) and all(path.exists() for path in others)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_bytes(path, b"before")
    before = path.read_bytes()

    def no_rename(self, target):
        raise OSError("disk")

    monkeypatch.setattr(Path, "replace", no_rename)
    with pytest.raises(OSError, match="disk"):
        write_bytes(path, b"after")
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
