"""A package that is installed beside vfplan adds an environment and a model to every command, without a YAML file."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import envs
from tests.commands.disc_env import DiscConfig
from tests.commands.shift_model import FAMILY, ShiftConfig
from vfplan import plan, train
from vfplan.models.registry import FAMILIES, register

ROOT = Path(__file__).parents[2]
MODULE = """
import tests.commands.disc_env
from tests.commands.shift_model import FAMILY
from vfplan.models.registry import register

register("shift", FAMILY)
"""
BUILT_IN_MODELS = set(FAMILIES)


def install(folder, module):
    """Put a package into a folder as pip would: its module, its name, and the entry point that vfplan looks for."""
    (folder / "disc_package.py").write_text(module)
    about = folder / "disc_package-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: disc-package\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[vfplan.plugins]\ndisc = disc_package\n")


@pytest.fixture
def command(tmp_path):
    def run(name, *arguments):
        environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
        called = [sys.executable, "-m", f"vfplan.{name}", *arguments]
        return subprocess.run(called, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


def test_every_command_knows_what_a_package_adds(tmp_path, command):
    install(tmp_path, MODULE)
    tiny = ["learning.steps=2", "learning.warmup=1", "validation_episodes=2"]
    search = ["planner=cem", "cost=pixel", "planner.samples=6", "planner.elites=2", "planner.horizon=2"]
    search += ["scoring.downscale=4", "control.steps=2", "num_tasks=1", "gif=false"]
    for name, *arguments in (
        ("collect", "env=disc", "env.length=6", "episodes=6", "workers=2", "out=data"),
        ("train", "model=shift", "data=data", "run_dir=run", *tiny),
        ("plan", "env=disc", "env.length=6", "model=shift", "checkpoint=run/checkpoint", "run_dir=planned", *search),
    ):
        done = command(name, *arguments)
        assert done.returncode == 0, done.stderr
    assert "env.speed=0.1" in command("plan", "env=disc", "--help").stdout
    assert "  env        disc, gym, push" in command("plan", "--help").stdout


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("import nowhere_at_all", "ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("1 / 0", "ZeroDivisionError"),
    ],
)
def test_a_package_that_does_not_load_is_named_in_one_line(tmp_path, command, module, words):
    install(tmp_path, module)
    done = command("plan", "run_dir=planned")
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: the plug-in disc_package of the package disc-package does not load")
    assert words in done.stderr and not (tmp_path / "planned").exists()


def test_what_a_script_registers_can_be_chosen_there():
    register("shift", FAMILY)
    assert plan.main.configuration(["env=disc"]).env == envs.CONFIGS["disc"]
    assert plan.main.configuration(["env=disc", "env.speed=0.2"]).env == DiscConfig(speed=0.2)
    config = train.main.configuration(["data=none", "model=shift"])
    assert (config.model, config.learning) == (ShiftConfig(), replace(FAMILY.recipe, name="shift"))


def test_what_comes_with_vfplan_has_files():
    files = {group: set(train.main.groups()[group]) for group in ("model", "learning")}
    assert files["model"] == files["learning"] == BUILT_IN_MODELS
    assert set(plan.main.groups()["env"]) == set(envs.CONFIGS) - {"disc"}
