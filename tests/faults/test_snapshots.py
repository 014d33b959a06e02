"""Whatever moment a process dies at, a run has a checkpoint of one step, and the next start tidies up."""

import hashlib
import json
import os
import resource
import shutil
import signal
import sys

import pytest

from vfplan.training.snapshots import Snapshots

EVENTS = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink")


def write(step):
    def into(folder):
        for name in ("state.pt", "model.safetensors"):
            (folder / name).write_text(f"{step}" * 500)
        return {"state.pt": hashlib.sha256(f"{step}".encode() * 500).hexdigest()}

    return into


def steps(path):
    return {(path / name).read_text()[: len(path.name[5:])] for name in ("state.pt", "model.safetensors")}


def begun(folder, count=3):
    """A run with so many checkpoints, so that the next one has an older one to remove."""
    for step in range(1, count + 1):
        Snapshots(folder).publish(step, write(step))
    return folder


def dies(action, when):
    """Run `action` in a process that is killed at its event number `when`; whether it was."""
    child = os.fork()
    if child == 0:
        seen = 0

        def watch(event, arguments):
            nonlocal seen
            if event in EVENTS:
                seen += 1
                if seen == when:
                    os._exit(9)

        sys.addaudithook(watch)
        try:
            action()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def expect_whole(run, allowed):
    snapshots = Snapshots(run)
    assert steps(snapshots.newest(pytest.fail)) in [{str(step)} for step in allowed]
    snapshots.tidy()
    newest = snapshots.newest(pytest.fail)
    assert (run / "checkpoint").resolve() == newest.resolve()
    assert not list(run.rglob(".tmp-*"))


def test_a_kill_at_any_event_of_a_save_loses_nothing(tmp_path):
    when, killed = 1, True
    while killed:
        run = begun(tmp_path / str(when))
        killed = dies(lambda run=run: Snapshots(run).publish(4, write(4)), when)
        expect_whole(run, [3, 4] if killed else [4])
        shutil.rmtree(run)
        when += 1
    assert when > 15


def test_a_kill_in_the_first_save_leaves_none_or_one(tmp_path):
    when, killed = 1, True
    while killed:
        run = tmp_path / str(when)
        run.mkdir()
        killed = dies(lambda run=run: Snapshots(run).publish(1, write(1)), when)
        if Snapshots(run).newest(pytest.fail) is not None:
            expect_whole(run, [1])
        when += 1


def test_a_copied_run_goes_on(tmp_path):
    """A copy has a folder where the run had a link; a kill while that is mended loses nothing either."""
    when, killed = 1, True
    while killed:
        copy = shutil.copytree(begun(tmp_path / f"{when}"), tmp_path / f"copy-{when}")
        assert not (copy / "checkpoint").is_symlink()
        killed = dies(Snapshots(copy).tidy, when)
        expect_whole(copy, [3])
        when += 1


@pytest.mark.parametrize("limit", [0, 100, 700, 1200, 1900])
def test_a_write_that_is_cut_by_a_kill_loses_nothing(tmp_path, limit):
    run = begun(tmp_path)
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        Snapshots(run).publish(4444, write(4444))
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGXFSZ
    expect_whole(run, [3])


@pytest.mark.parametrize("limit", [0, 100, 700, 1200])
def test_a_full_disk_leaves_the_last_checkpoint(tmp_path, limit):
    run = begun(tmp_path)
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        try:
            Snapshots(run).publish(4444, write(4444))
        except OSError:
            os._exit(0)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    expect_whole(run, [3])


def test_the_newest_and_the_best_stay(tmp_path):
    for step, score in enumerate([3.0, 1.0, None, 2.0, 2.0, None]):
        Snapshots(tmp_path, keep=2).publish(step, write(step), score)
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["step-1", "step-4", "step-5"]


def test_a_step_that_is_there_is_not_written_again(tmp_path):
    begun(tmp_path)
    Snapshots(tmp_path).publish(3, pytest.fail)
    Snapshots(tmp_path).publish(2, pytest.fail)
    assert (tmp_path / "checkpoint").resolve().name == "step-2"


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_a_name_that_no_file_has_is_damage(tmp_path, name):
    newest = begun(tmp_path)
    path = newest / "checkpoints" / "step-3" / "manifest.json"
    path.write_text(json.dumps({"files": {name: "0"}, "score": None}))
    warned = []
    assert Snapshots(tmp_path).newest(warned.append).name == "step-2"
    assert warned[0].isascii() and warned[0].isprintable()
