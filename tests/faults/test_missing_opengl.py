"""Without OpenGL the commands work, for rays need none; an OpenGL that is asked for and does not start is one line."""

import os
import subprocess
import sys

import pytest

import envs
from envs import gl


@pytest.mark.parametrize("command", ["benchmark", "collect", "plan"])
def test_an_opengl_that_mujoco_cannot_load_is_one_line(command, tmp_path):
    given = f"out={tmp_path / 'data'}" if command == "collect" else "env=push"
    done = subprocess.run(
        [sys.executable, "-m", f"vfplan.{command}", given, f"run_dir={tmp_path / 'run'}"],
        env={**os.environ, "MUJOCO_GL": "nothing"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and "Traceback" not in done.stderr
    line = done.stderr.splitlines()[-1]
    assert line.startswith("error: mujoco does not load (") and line.endswith("that does not load: unset it")
    assert not (tmp_path / "data").exists()


def test_a_renderer_that_does_not_start_names_the_other(monkeypatch):
    def missing(backend):
        raise ImportError("libEGL.so.1")

    monkeypatch.setattr(gl, "_context_class", missing)
    with pytest.raises(ValueError, match=r"^render=gl needs OpenGL .* apt-get install .* or use render=ray"):
        envs.make("push", render="gl").reset()
