"""A full disk is one line, and leaves what was whole; training may go on without the checkpoints that do not fit."""

import errno
import json
import os
import re
import subprocess
import sys

import pytest

from tests.commands.tiny import TINY
from vfplan.models.checkpoint import load_checkpoint
from vfplan.train import main as train
from vfplan.training.snapshots import Snapshots

LIMITED = "import resource, sys; from vfplan.train import main; limit = int(sys.argv[1])\n"
LIMITED += "resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)); main(sys.argv[2:])"


def trained(limit, arguments):
    """The exit code and stderr of a training whose files may have `limit` bytes each."""
    done = subprocess.run([sys.executable, "-c", LIMITED, str(limit), *arguments], capture_output=True, text=True)
    return done.returncode, done.stderr


@pytest.mark.parametrize("limit", [500, 5_000, 50_000])
def test_a_training_ends_in_one_line(store, tmp_path, limit):
    run = tmp_path / "run"
    train([f"data={store}", f"run_dir={run}", *TINY])
    before = Snapshots(run).newest(pytest.fail)
    more = [f"data={store}", f"run_dir={run}", *TINY, "learning.steps=8", "allow_mismatch=true"]
    code, said = trained(limit, more)
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert code == 2 and "Traceback" not in said
    assert len(errors) == 1 and re.search(rf"File too large: .*{run.name}", errors[0])
    assert Snapshots(run).newest(pytest.fail) == before and load_checkpoint(run / "checkpoint").training["steps"] == 4
    train(more)
    assert load_checkpoint(run / "checkpoint").training["steps"] == 8 and not list(run.rglob(".tmp-*"))


def full_at(monkeypatch, steps):
    """Let the disk be full whenever one of these steps is saved."""
    publish = Snapshots.publish

    def published(self, step, write, score=None):
        if step in steps:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return publish(self, step, write, score)

    monkeypatch.setattr(Snapshots, "publish", published)


def test_training_may_go_on_without_a_checkpoint(store, run, tmp_path, monkeypatch, capsys):
    full_at(monkeypatch, {2})
    train([f"data={store}", f"run_dir={tmp_path}", *TINY, "on_disk_full=continue"])
    assert "step 2: No space left on device; going on" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-4"]
    weights = [(folder / "checkpoint" / "model.safetensors").read_bytes() for folder in (run, tmp_path)]
    assert weights[0] == weights[1]


@pytest.mark.parametrize(("setting", "step"), [("stop", 2), ("continue", 4)])
def test_the_last_checkpoint_must_fit(store, tmp_path, monkeypatch, setting, step, capsys):
    full_at(monkeypatch, {step})
    with pytest.raises(SystemExit) as caught:
        train([f"data={store}", f"run_dir={tmp_path}", *TINY, f"on_disk_full={setting}"])
    assert caught.value.code == 2
    assert f"error: No space left on device: {tmp_path}" in capsys.readouterr().err
    assert json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[-1])["step"] == step
