"""Every example runs as its first lines say, with small settings, and fits on a page."""

import json
import os
import subprocess
import sys
from importlib.machinery import PathFinder
from pathlib import Path

import pytest

from vfplan.train import main as train

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
PAGE = 100  # lines
NEEDED = {"swm_solver": ("stable_worldmodel", "loguru"), "swm_model": ("stable_worldmodel", "loguru", "einops")}
LIBRARIES = {"swm_modules"}  # run by the others

ONE_TASK = ["num_tasks=1", "control.steps=2", "threads=1"]
SEARCH = [*ONE_TASK, "planner.samples=6", "planner.elites=2", "planner.iterations=1"]
LEARNING = ["learning.steps=2", "learning.warmup=1", "learning.batch=[4]", "validation_episodes=2"]


@pytest.fixture
def example(tmp_path):
    """Run an example as a user does, in an empty folder; what it prints."""

    def run(name, *arguments):
        missing = [module for module in NEEDED.get(name, ()) if PathFinder.find_spec(module) is None]
        if missing:
            pytest.skip(f"pip install --no-deps stable-worldmodel loguru einops ({', '.join(missing)} absent)")
        called = [sys.executable, "-m", f"examples.{name}", *map(str, arguments)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(called, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def results(folder):
    return json.loads((folder / "results.json").read_text())


@pytest.mark.parametrize(("name", "part"), [("own_planner", "planner"), ("own_cost", "cost")])
def test_your_own_part_plans(example, tmp_path, name, part):
    said = example(name, *SEARCH, "run_dir=out")
    assert results(tmp_path / "out")["num_tasks"] == 1 and "cm from the goal" in said
    settings = json.loads((tmp_path / "out" / "config.json").read_text())[part]
    assert settings.keys() >= {"planner": {"samples", "elites"}, "cost": {"final_weight"}}[part]


def test_your_own_environment_has_tasks_and_pictures(example, tmp_path):
    example("own_environment", *ONE_TASK, "env.image_size=32", "run_dir=out")
    assert 0 < results(tmp_path / "out")["tasks"][0]["distance"] < 3
    assert (tmp_path / "out" / "episodes.gif").read_bytes()[:4] == b"GIF8"


def test_your_own_model_is_trained(example, store, tmp_path):
    example("own_model", f"data={store}", "run_dir=run", *LEARNING)
    saved = json.loads((tmp_path / "run" / "checkpoint" / "config.json").read_text())
    assert saved["model"]["name"] == "shift"


def test_ten_lines_plan(example):
    code = (EXAMPLES / "plan_in_ten_lines.py").read_text().partition('"""\n')[2]
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    assert "frames (1, 3, 64, 64, 3) actions (1, 2, 4) imagined (1, 2, 64, 64, 3)" in (
        example("plan_in_ten_lines", *SEARCH)
    )


def test_from_nothing_to_a_plan(example, tmp_path):
    example("train_from_scratch", "all", "tiny")
    assert results(tmp_path / "all" / "planned")["num_tasks"] == 1
    assert (tmp_path / "all" / "tested" / "index.html").is_file()


def test_a_way_to_the_goal_is_planned_along(example, store, tmp_path):
    sizes = ["model.pyramid.widths=[4,4,8]", "model.code=4", "model.hidden=4", "model.latent=2", "learning.frames=2"]
    train([f"data={store}", "model=p2p", f"run_dir={tmp_path / 'run'}", "threads=1", *LEARNING, *sizes])
    said = example("subgoals", "run/checkpoint", *SEARCH)
    assert "cm from the goal" in said and (tmp_path / "subgoals.gif").read_bytes()[:4] == b"GIF8"


def test_their_solver_acts_beside_ours(example):
    said = example("swm_solver", *SEARCH, "tasks=dev").splitlines()
    for name in ("vfplan ", "stable-worldmodel "):
        assert len([line for line in said if line.startswith(name) and "cm from the goal" in line]) == 1


def test_their_model_scores_for_our_planner(example):
    assert "actions (2, 8, 4)" in example("swm_model")


def test_every_example_is_run_here_and_fits_on_a_page():
    run = Path(__file__).read_text()
    for path in EXAMPLES.glob("*.py"):
        assert path.stem in LIBRARIES or f'"{path.stem}"' in run.partition("def example")[2], path
        assert len(path.read_text().splitlines()) <= PAGE, path


def test_every_example_says_how_it_is_called():
    for path in EXAMPLES.glob("*.py"):
        said = path.read_text().split('"""')[1]
        assert path.stem in LIBRARIES or f"python -m examples.{path.stem}" in said, path
