"""Whatever runs the units: the same results, the same progress, and a worker that dies or hangs changes neither."""

import functools
import importlib.util
import time
from pathlib import Path

import pytest

from tests.execution import units
from tests.execution.executors import absent, cluster, each, quick
from vfplan.errors import UserError
from vfplan.execution import executor
from vfplan.execution.executor import executor_named, require_executor

ELSEWHERE = ("processes", "ray", "slurm")


@pytest.fixture(scope="module", autouse=True)
def surroundings():
    with cluster(), quick():
        yield


@pytest.fixture
def run(tmp_path, request):
    """Runs work on units by the executor that the test is of; the sorted results, and the sum of all progress."""

    def run(work, count=4, **given):
        seen = []
        run_units = executor_named(request.node.callspec.params["name"], tmp_path / "jobs")
        found = sorted(run_units(work, range(count), 2, seen.append, **given))
        return found, sum(seen)

    return run


SQUARES = [(unit, unit * unit) for unit in range(4)]


@pytest.mark.parametrize("name", each("serial", *ELSEWHERE))
def test_every_unit_is_done_and_counted(name, run):
    assert run(units.square) == (SQUARES, 12)


@pytest.mark.parametrize("name", each(*ELSEWHERE))
def test_a_killed_worker_changes_nothing(name, run, tmp_path):
    assert run(functools.partial(units.dies_once, str(tmp_path))) == (SQUARES, 12)
    assert (tmp_path / "died").exists()


@pytest.mark.parametrize("name", each(*ELSEWHERE))
def test_a_hanging_worker_changes_nothing(name, run, tmp_path):
    assert run(functools.partial(units.hangs_once, str(tmp_path)), patience=2) == (SQUARES, 4)
    assert (tmp_path / "hung").exists()


@pytest.mark.parametrize("name", each(*ELSEWHERE))
def test_workers_that_always_die_end_it_in_one_line(name, run):
    with pytest.raises(UserError, match=r"4 worker processes ended early|unit 0 ended early 4 times") as caught:
        run(units.dies, 1)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600


@pytest.mark.parametrize("name", each("serial", *ELSEWHERE))
@pytest.mark.parametrize(("kind", "error"), [("user", UserError), ("system", OSError)])
def test_mistakes_come_home_as_they_are(name, kind, error, run):
    with pytest.raises(error, match=r"expected a robot|No space left"):
        run(functools.partial(units.fails, kind))


@pytest.mark.parametrize("name", each(*ELSEWHERE))
def test_faults_come_home_with_their_traceback(name, run):
    with pytest.raises(RuntimeError, match=r"units.py(.|\n)*KeyError: 'x'"):
        run(functools.partial(units.fails, "fault"))


@pytest.mark.parametrize("name", each(*ELSEWHERE))
def test_workers_have_one_thread_and_our_folder(name, run):
    assert run(units.where, 1)[0] == [(str(Path.cwd()), "1", False)]


@pytest.mark.parametrize("name", each(*ELSEWHERE))
def test_nobody_works_on_when_we_stop(name, tmp_path):
    run_units = executor_named(name, tmp_path / "jobs")

    def stop(count):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(run_units(functools.partial(units.naps, str(tmp_path)), range(4), 2, stop))
    deadline = time.monotonic() + 60
    pids = [path.name for path in tmp_path.iterdir() if path.name.isdecimal()]
    while any(_status(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert pids and not any(_status(pid) for pid in pids)


def _status(pid):
    """What the system says of a process; nothing once it is gone, or dead."""
    try:
        status = Path(f"/proc/{pid}/status").read_bytes()
    except OSError:
        return b""
    return b"" if b"State:\tZ" in status else status


@pytest.mark.skipif(absent("slurm"), reason="pip install 'vfplan[slurm]'")
def test_jobs_leave_nothing_but_logs_of_failures(tmp_path):
    slurm = executor_named("slurm", tmp_path / "jobs")
    list(slurm(units.square, range(1), 1, lambda count: None))
    assert not (tmp_path / "jobs").exists()
    with pytest.raises(UserError):
        list(slurm(functools.partial(units.fails, "user"), range(2), 1, lambda count: None))
    assert list((tmp_path / "jobs").glob("*_log.err"))
    assert (tmp_path / "jobs").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(("name", "package"), executor.PACKAGES.items())
def test_an_absent_package_is_named_with_what_to_do(name, package, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        UserError, match=rf"executor={name} needs {package}, which is not installed: pip install 'vfplan\[{name}\]'"
    ):
        require_executor(name, 0)
