"""What ships is what its card says."""

import json
import re

import numpy as np
import pytest

from envs.push import PushEnv
from vfplan.models.checkpoint import SHIPPED, load_checkpoint, shipped_checkpoint
from vfplan.plan import main as plan

ENVIRONMENTS = sorted(path.name for path in SHIPPED.iterdir() if path.is_dir())


def card(env):
    return (shipped_checkpoint(env) / "README.md").read_text()


def test_push_has_a_checkpoint():
    assert "push" in ENVIRONMENTS


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_it_is_small_loads_and_is_the_one_of_the_card(env):
    folder = shipped_checkpoint(env)
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 8e6
    checkpoint = load_checkpoint(folder)
    assert checkpoint.sha256 in card(env)
    assert checkpoint.training["data"]["episodes"] >= 5000
    assert checkpoint.training["data"]["digest"] in card(env)


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_it_was_trained_on_the_frames_that_the_environment_draws_today(env):
    trained, today = load_checkpoint(shipped_checkpoint(env)).environment, PushEnv().description()
    for key in ("name", "image_size", "renderer", "action_scale", "camera", "floor_to_pixel"):
        assert trained[key] == today[key], key


def test_it_solves_the_tasks_that_its_card_says(tmp_path):
    """The first tasks of the benchmark; other processors round differently, so one task may fall either way."""
    match = re.search(r"first (\d+) benchmark tasks: (\d+) within 5 cm", card("push"))
    assert match, "the card must say how many of the first tasks are solved"
    count, solved = map(int, match.groups())
    plan(["env=push", f"num_tasks={count}", "gif=false", f"run_dir={tmp_path / 'out'}", "device=cpu"])
    report = json.loads((tmp_path / "out" / "results.json").read_text())
    assert abs(sum(task["solved_5cm"] for task in report["tasks"]) - solved) <= 1
    assert report["distance_cm"]["median"] < 0.5 * report["distance_cm"]["start_median"]
    assert np.isfinite(report["seconds_per_plan"])
