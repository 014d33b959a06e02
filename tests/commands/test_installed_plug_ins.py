"""A package that is installed beside vfplan adds parts of every kind to every command, without a YAML file."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import envs
import planners
from examples.own_cost import Redness, RednessConfig
from examples.own_environment import DiscConfig
from examples.own_model import FAMILY, ShiftConfig
from examples.own_planner import Straight, StraightConfig
from vfplan import audit, costs, plan, train

ROOT = Path(__file__).parents[2]
MODULE = """
import examples.own_cost
import examples.own_environment
import examples.own_model
import examples.own_planner
"""
ADDED = {"env": "disc", "model": "shift", "planner": "straight", "cost": "redness"}


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
    search = ["planner.samples=6", "planner.elites=2", "planner.horizon=2", "cost=redness", "scoring.downscale=4"]
    planned = ["planner=straight", "control.steps=2", "num_tasks=1", "gif=false", "run_dir=planned", *search]
    compared = ["planners=[straight]", f"settings='{' '.join(search)}'", "steps=2", "num_tasks=1", "workers=2"]
    for name, *arguments in (
        ("collect", "env=disc", "env.length=6", "episodes=6", "workers=2", "out=data"),
        ("train", "model=shift", "data=data", "run_dir=run", *tiny),
        ("plan", "env=disc", "env.length=6", "model=shift", "checkpoint=run/checkpoint", *planned),
        ("benchmark", *compared),
    ):
        done = command(name, *arguments)
        assert done.returncode == 0, done.stderr
    assert "env.speed=0.1" in command("plan", "env=disc", "--help").stdout
    said = command("plan", "--help").stdout
    for line in ("  env        disc, gym, push", "  planner    cem, gradient,", "  cost       chroma,"):
        assert line in said
    assert "straight, zero" in said and "pixel, redness, sum" in said
    assert "unknown key 'planner.sample'; did you mean 'planner.samples'?" in (
        command("plan", "planner=straight", "planner.sample=3").stderr
    )


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
    assert plan.main.configuration(["env=disc"]).env == envs.CONFIGS["disc"]
    assert plan.main.configuration(["env=disc", "env.speed=0.2"]).env == DiscConfig(speed=0.2)
    config = train.main.configuration(["data=none", "model=shift"])
    assert (config.model, config.learning) == (ShiftConfig(), replace(FAMILY.recipe, name="shift"))
    config = plan.main.configuration(["planner=straight", "planner.samples=9", "cost=redness", "cost.final_weight=1"])
    assert (config.planner, config.cost) == (StraightConfig(samples=9), RednessConfig(final_weight=1.0))
    config = audit.main.configuration(["planner=straight", "cost=redness", "costs=[{name: redness}]"])
    assert config.costs[0].settings == {} and config.cost == RednessConfig()


FILES = """
import envs, planners
from vfplan import costs, plan, train
from vfplan.models.registry import FAMILIES

registered = {"env": envs.CONFIGS, "planner": planners.CONFIGS, "cost": costs.CONFIGS, "model": FAMILIES}
files = {**plan.main.groups(registered=False), **train.main.groups(registered=False)}
for group, known in registered.items():
    assert set(files[group]) == set(known), group
assert files["learning"] == files["model"]
"""


def test_what_comes_with_vfplan_has_files():
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}  # a process of its own, where no test has registered anything
    subprocess.run([sys.executable, "-c", FILES], env=environment, check=True)


@pytest.mark.parametrize(
    ("register", "name", "config", "made_by", "words"),
    [
        (planners.register, "cem", StraightConfig, Straight, "there is a planner 'cem' already"),
        (planners.register, "bent", planners.CEMConfig, Straight, "CEMConfig is what another planner is told"),
        (costs.register, "pixel", RednessConfig, Redness, "there is a cost 'pixel' already"),
        (costs.register, "sum", RednessConfig, Redness, "there is a cost 'sum' already"),
        (costs.register, "blueness", costs.PixelConfig, Redness, "PixelConfig is what another cost is told"),
    ],
)
def test_what_is_taken_is_refused(register, name, config, made_by, words):
    with pytest.raises(ValueError, match=words):
        register(name, config, made_by)
    assert name not in ("bent", "blueness") or name not in {*planners.CONFIGS, *costs.CONFIGS}


def test_the_same_may_be_registered_again():
    planners.register("straight", StraightConfig, Straight)
    costs.register("redness", RednessConfig, Redness)
