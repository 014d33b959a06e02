"""A loss or gradient that is no number changes no weight, is logged with its data, and ends a training in time."""

import json

import pytest
import torch

from tests.commands.tiny import TINY
from tests.refusal import refused
from vfplan.models.checkpoint import load_checkpoint
from vfplan.models.videoflow.objective import VideoFlowObjective
from vfplan.train import main as train
from vfplan.training.snapshots import Snapshots


def broken(monkeypatch, at):
    """Let the loss of these steps be NaN."""
    true = VideoFlowObjective.losses

    def losses(self, clip, step, part, rng):
        for loss, nats in true(self, clip, step, part, rng):
            yield loss * (torch.nan if step in at else 1.0), nats

    monkeypatch.setattr(VideoFlowObjective, "losses", losses)


def rows(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_a_step_without_numbers_is_skipped_and_logged(store, tmp_path, monkeypatch, capsys):
    broken(monkeypatch, {1, 2})
    train([f"data={store}", f"run_dir={tmp_path}", *TINY, "max_skipped=3"])
    skipped = [row for row in rows(tmp_path) if "skipped" in row]
    assert [row["step"] for row in skipped] == [2, 3]
    assert all(len(row["episodes"]) == 1 and len(row["episodes"][0]) == 4 for row in skipped)
    assert "step 2 skipped: gradient of" in capsys.readouterr().out
    model = load_checkpoint(tmp_path / "checkpoint").model
    assert all(value.isfinite().all() for value in model.state_dict().values())


def test_too_many_in_a_row_end_in_one_line(store, tmp_path, monkeypatch, capsys):
    broken(monkeypatch, range(2, 100))
    given = [f"data={store}", f"run_dir={tmp_path}", *TINY, "learning.steps=50", "save_every=1", "max_skipped=4"]
    message = refused(capsys, train, given, begun=True)
    newest = Snapshots(tmp_path).newest(pytest.fail)
    assert message.endswith(f"4 steps in a row are skipped (max_skipped); last good checkpoint: {newest}")
    assert newest.name == "step-5"
