"""A recording for Rerun holds what it was given, as Rerun itself reads it."""

import importlib.util
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from tests.refusal import refused
from vfplan.output.rrd import recorded
from vfplan.plan import main as plan

absent = importlib.util.find_spec("rerun") is None


@pytest.mark.skipif(absent, reason="rerun not installed (pip install 'vfplan[rerun]')")
def test_rerun_reads_every_entity_at_every_action(tmp_path):
    frames = np.arange(4 * 8 * 8 * 3, dtype=np.uint8).reshape(4, 8, 8, 3)
    with recorded(tmp_path / "run.rrd", 0.2) as recording:
        recording.add(3, frames[0], frames, frames[1:], {0: 1.5, 2: 0.5})
        recording.add(4, frames[0], frames, None, {})
        assert not (tmp_path / "run.rrd").exists()
    shown = [sys.executable, "-m", "rerun", "rrd", "print", "-v", str(tmp_path / "run.rrd")]
    done = subprocess.run(shown, env=dict(os.environ), capture_output=True, text=True, check=True)
    rows = {}
    for count, entity in re.findall(r"with (\d+) rows.*?- /(task_\d/\w+)", done.stdout):
        rows[entity] = rows.get(entity, 0) + int(count)
    assert rows == {
        "task_3/goal": 1, "task_3/happened": 4, "task_3/imagined": 3, "task_3/plan_cost": 2,
        "task_4/goal": 1, "task_4/happened": 4,
    }  # fmt: skip


def test_without_its_extra_it_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    message = refused(capsys, plan, ["viz=rerun", f"run_dir={tmp_path / 'run'}"])
    assert message == "viz=rerun needs an extra: pip install 'vfplan[rerun]'" and not (tmp_path / "run").exists()
