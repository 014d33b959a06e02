"""What an installed package registers is registered in every worker, wherever it runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.execution.executors import each

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from pathlib import Path
from tests.execution import units
from vfplan.execution.executor import executor_named

if __name__ == "__main__":
    run_units = executor_named(sys.argv[1], Path("jobs"))
    print([there for _, _, there in run_units(units.where, range(2), 1, lambda count: None)])
"""


@pytest.mark.parametrize("name", each("processes", "ray", "slurm"))
def test_workers_load_plug_ins(name, tmp_path):
    (tmp_path / "marking_plug_in.py").write_text("")
    about = tmp_path / "marking_plug_in-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: marking-plug-in\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[vfplan.plugins]\nmarking = marking_plug_in\n")
    (tmp_path / "program.py").write_text(PROGRAM)
    paths = os.pathsep.join([str(tmp_path), str(ROOT), os.environ.get("PYTHONPATH", "")])
    called = [sys.executable, "program.py", name]
    shell = {**os.environ, "PYTHONPATH": paths}
    done = subprocess.run(called, cwd=tmp_path, env=shell, capture_output=True, text=True, check=False)
    assert done.stdout == "[True, True]\n", done.stderr
