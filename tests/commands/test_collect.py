"""vfplan.collect: the same bytes for any number of workers and after any kill."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock

import envs
import vfplan.data.filling
from envs import gym_env
from tests.refusal import refused
from vfplan.collect import main
from vfplan.data.store import EpisodeStore

SMALL = ["env.image_size=16", "env.length=4", "shard_episodes=4", "seed=3"]
PATIENCE = 120  # seconds until a program hangs: beside other work a start alone may take the best part of one minute


def run(out, *arguments):
    main([*SMALL, f"out={out}", f"run_dir={out.parent / 'record'}", *arguments])
    return EpisodeStore.open(out)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """A store of 10 episodes collected by one worker without interruption."""
    return run(tmp_path_factory.mktemp("expected") / "store", "episodes=10", "workers=1")


def test_the_store_does_not_depend_on_the_number_of_workers(expected, tmp_path):
    store = run(tmp_path / "store", "episodes=10", "workers=2")
    store.verify()
    assert store.digest == expected.digest
    for name in ("meta.json", "manifest.jsonl"):
        assert (store.path / name).read_bytes() == (expected.path / name).read_bytes()


def test_a_store_grows_to_what_one_run_would_have_made(expected, tmp_path):
    run(tmp_path / "store", "episodes=5", "workers=1")
    assert run(tmp_path / "store", "episodes=10", "workers=1").digest == expected.digest


def test_the_end_tells_what_was_written_and_what_comes_next(expected, capsys):
    before = {path: path.stat().st_mtime_ns for path in expected.path.glob("shard-*/*")}
    run(expected.path, "episodes=10", "workers=1")
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith(f"{expected.path}: 10 episodes of 4 actions")
    assert out[-1] == f"next: python -m vfplan.train data={expected.path}"
    assert before == {path: path.stat().st_mtime_ns for path in expected.path.glob("shard-*/*")}, "written twice"


@pytest.fixture
def start():
    """Starts the command as a terminal does: a process group of its own, which Ctrl-C reaches as a whole."""
    started = []

    def start(out, *arguments, before=()):
        root = Path(__file__).resolve().parents[2]
        command = [sys.executable, "-m", "vfplan.collect", *SMALL, f"out={out}", f"run_dir={out.parent / 'record'}"]
        process = subprocess.Popen(
            [*before, *command, *arguments],
            cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            # Tests that a script runs in the background ignore Ctrl-C, and what they start would inherit that.
            start_new_session=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        with process:
            process.kill()


def wait_for(condition, process):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.01)


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def command_line(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@linux
def test_a_killed_collection_goes_on_and_leaves_no_worker_behind(start, tmp_path):
    out, arguments = tmp_path / "store", ["episodes=80", "workers=2"]
    process = start(out, *arguments)
    wait_for(
        lambda: (out / "manifest.jsonl").exists() and (out / "manifest.jsonl").read_text().count("\n") >= 2, process
    )
    workers = [pid for pid in children(process.pid) if "spawn_main" in command_line(pid)]
    process.kill()
    process.wait()
    deadline = time.monotonic() + 20
    while any("spawn_main" in command_line(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any("spawn_main" in command_line(pid) for pid in workers)
    listed = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert len(listed) < 20, "killed too late to test anything"
    (out / ".tmp-shard-00019-00000000").mkdir(exist_ok=True)
    files = [path for line in listed for path in out.glob(f"shard-{line['shard']:05d}/*.npy")]
    finished = {path: path.stat().st_mtime_ns for path in files}
    store = run(out, *arguments)
    store.verify()
    assert not list(out.glob(".tmp-*"))
    assert finished == {path: path.stat().st_mtime_ns for path in finished}, "a finished shard was written again"
    assert store.digest == run(tmp_path / "whole", *arguments).digest


@linux
def test_a_killed_worker_is_replaced_and_its_shard_made_anew(start, tmp_path):
    out, arguments = tmp_path / "store", ["episodes=40", "workers=1", "shard_episodes=40"]
    process = start(out, *arguments)
    wait_for(lambda: list(out.glob(".tmp-*")) or list(out.glob("shard-*")) or children(process.pid), process)
    wait_for(lambda: any("spawn_main" in command_line(pid) for pid in children(process.pid)), process)
    time.sleep(0.3)
    for pid in children(process.pid):
        if "spawn_main" in command_line(pid):
            os.kill(pid, signal.SIGKILL)
    output = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 0, output
    assert EpisodeStore.open(out).digest == run(tmp_path / "whole", *arguments).digest


@pytest.mark.parametrize(("blocks", "left"), [(2, []), (12, ["command.json", "manifest.jsonl", "meta.json"])])
def test_a_full_disk_is_one_line_and_a_rerun_completes(start, tmp_path, blocks, left):
    out, arguments = tmp_path / "store", ["episodes=10", "workers=1"]
    # A limit on the size of files stands in for the disk: 2 KiB do not hold the meta, 12 KiB not the frames of a shard.
    limit = ["bash", "-c", f'ulimit -f {blocks}; exec "$0" "$@"']
    process = start(out, *arguments, before=limit)
    output = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 2, output
    assert "Traceback" not in output
    assert output.splitlines()[-1].startswith(f"error: cannot write to {out}: ")
    assert sorted(path.name for path in out.iterdir()) == left
    run(out, *arguments).verify()


def press_ctrl_c(process):
    os.killpg(process.pid, signal.SIGINT)
    output = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 130
    assert "Traceback" not in output
    assert output.splitlines()[-1] == "stopped"


def test_ctrl_c_stops_in_one_line(start, tmp_path):
    out = tmp_path / "store"
    process = start(out, "episodes=4000", "workers=2")
    wait_for(lambda: list(out.glob("shard-*")), process)
    press_ctrl_c(process)


@linux
@pytest.mark.parametrize("seconds", [0, 0.05, 0.3])
def test_ctrl_c_while_workers_start_stops_in_one_line(start, tmp_path, seconds):
    process = start(tmp_path / "store", "episodes=4000", "workers=2")
    wait_for(lambda: any("spawn_main" in command_line(pid) for pid in children(process.pid)), process)
    time.sleep(seconds)
    press_ctrl_c(process)


def test_no_worker_writes_on_after_an_interrupt(tmp_path, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(vfplan.data.filling, "write_manifest", interrupted)
    with pytest.raises(SystemExit) as exit_:
        run(tmp_path / "store", "episodes=40", "workers=1")
    assert exit_.value.code == 130
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("episodes=0", "episodes must be in [1, 1e9], got 0"),
        ("episodes=-5", "episodes must be in [1, 1e9], got -5"),
        ("workers=-1", "workers must be in [0, 1024], got -1"),
        ("shard_episodes=0", "shard_episodes must be in [1, 1e5], got 0"),
        ("env.num_objects=99", "env.num_objects must be in [1, 6], got 99"),
        ("policy=mixd", "no policy 'mixd'"),
        ("env=pushh", "unknown env 'pushh'; did you mean 'push'?"),
    ],
)
def test_a_wrong_value_is_one_line_and_nothing_is_written(tmp_path, capsys, argument, message):
    arguments = [text for text in SMALL if text.partition("=")[0] != argument.partition("=")[0]]
    assert refused(capsys, main, [*arguments, f"out={tmp_path / 'store'}", argument]).startswith(message)
    assert list(tmp_path.iterdir()) == []


def test_a_store_made_with_other_settings_is_refused(expected, capsys):
    given = [*SMALL, f"out={expected.path}", "episodes=10"]
    assert "collected with seed=3, not 4; choose another out=" in refused(capsys, main, [*given, "seed=4"])
    assert "has episodes=10, more than 9" in refused(capsys, main, [*given, "episodes=9"])
    assert "collected with env=push, not push_slip" in refused(capsys, main, [*given, "env=push_slip"])
    assert "collected with policy=mixed, not noise" in refused(capsys, main, [*given, "policy=noise"])


def test_a_folder_that_cannot_be_used_is_refused(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert "cannot write to" in refused(capsys, main, [*SMALL, f"out={tmp_path / 'file'}", "episodes=1"])
    with FileLock(tmp_path / ".lock"):
        assert "another collection is writing to" in refused(capsys, main, [*SMALL, f"out={tmp_path}", "episodes=1"])
    assert "is no episode store" in refused(capsys, main, [*SMALL, f"out={tmp_path}", "episodes=1"])


def test_every_preset_is_an_option_of_env():
    assert main.groups()["env"] == sorted({*envs.NAMES, *gym_env.PRESETS})
