"""Checkpoints and stores of another MuJoCo: one warning that names both versions."""

import json
import shutil

import mujoco

from tests.commands.tiny import TINY
from vfplan.plan import main as plan
from vfplan.train import main as train

PLAN = ["env=push", "planner=random", "num_tasks=1", "control.steps=1", "device=cpu", "gif=false"]


def warnings(capsys):
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]


def changed(path, *keys, value):
    content = json.loads(path.read_text())
    inner = content
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    path.write_text(json.dumps(content))


def test_a_checkpoint_of_another_mujoco_is_one_warning(run, tmp_path, capsys):
    checkpoint = shutil.copytree(run / "checkpoint", tmp_path / "checkpoint")
    plan([*PLAN, f"checkpoint={checkpoint}", f"run_dir={tmp_path / 'same'}"])
    assert warnings(capsys) == []
    changed(checkpoint / "config.json", "environment", "mujoco", value="3.1.4")
    plan([*PLAN, f"checkpoint={checkpoint}", f"run_dir={tmp_path / 'other'}"])
    (line,) = warnings(capsys)
    assert f"{checkpoint} was trained with mujoco 3.1.4, {mujoco.__version__} is installed" in line


def test_stores_of_two_mujocos_are_one_warning(store, second_store, tmp_path, capsys):
    other = shutil.copytree(second_store, tmp_path / "other")
    given = ["validation_episodes=2", "learning.steps=1", f"run_dir={tmp_path / 'run'}"]
    train([f"data=[{store},{second_store}]", *TINY, *given])
    assert warnings(capsys) == []
    changed(other / "meta.json", "versions", "mujoco", value="3.1.4")
    train([f"data=[{store},{other}]", *TINY, *given[:-1], f"run_dir={tmp_path / 'second'}"])
    (line,) = warnings(capsys)
    assert f"{other} was made with mujoco 3.1.4, {store} with {mujoco.__version__}" in line
