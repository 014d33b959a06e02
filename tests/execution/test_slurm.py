"""executor=slurm with a batch system: a small one of shell scripts that understands what submitit says to Slurm."""

import functools
import os
import time
from pathlib import Path

import pytest

from tests.execution import units
from tests.execution.executors import quick
from vfplan.execution.executor import executor_named

submitit = pytest.importorskip("submitit", reason="pip install 'vfplan[slurm]'")


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """The executor; its jobs are scripts for sbatch that name each other's ends by sacct."""
    (tmp_path / "queue").mkdir()
    monkeypatch.setenv("FAKE_SLURM", str(tmp_path / "queue"))
    monkeypatch.setenv("PATH", f"{Path(__file__).parent / 'batch_system'}{os.pathsep}{os.environ['PATH']}")
    # submitit asks sacct once a minute.
    monkeypatch.setattr(submitit.SlurmJob.watcher, "_delay_s", 1)
    with quick():
        yield executor_named("slurm", tmp_path / "jobs")


def test_jobs_of_sbatch_do_the_units(slurm, tmp_path, capsys):
    seen = []
    found = sorted(slurm(units.square, range(4), 2, seen.append))
    assert found == [(unit, unit * unit) for unit in range(4)] and sum(seen) == 12
    assert len(list((tmp_path / "queue").iterdir())) == 4 and capsys.readouterr().err == ""


def test_a_job_that_is_killed_is_submitted_again(slurm, tmp_path):
    seen = []
    found = sorted(slurm(functools.partial(units.dies_once, str(tmp_path)), range(3), 2, seen.append))
    assert found == [(unit, unit * unit) for unit in range(3)] and sum(seen) == 9
    assert len(list((tmp_path / "queue").iterdir())) == 4


def test_jobs_under_way_are_cancelled(slurm, tmp_path):
    def stop(count):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(slurm(functools.partial(units.naps, str(tmp_path)), range(4), 2, stop))
    queued = [path.read_text().strip() for path in (tmp_path / "queue").iterdir()]
    deadline = time.monotonic() + 20
    while any(alive(pid) for pid in queued) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert queued and not any(alive(pid) for pid in queued)


def alive(pid):
    try:
        return b"State:\tZ" not in Path(f"/proc/{pid}/status").read_bytes()
    except OSError:
        return False


def test_a_job_asks_for_one_task_and_one_core(slurm, tmp_path):
    with pytest.raises(RuntimeError):
        list(slurm(functools.partial(units.fails, "fault"), range(2), 1, lambda count: None))
    script = next((tmp_path / "jobs").glob("*_submission.sh")).read_text()
    for line in ("--job-name=vfplan", "--cpus-per-task=1", "--nodes=1", "--time=1440"):
        assert f"#SBATCH {line}\n" in script
