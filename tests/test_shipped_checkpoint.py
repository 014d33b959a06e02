"""What ships is what its card says."""

import json
import re

import numpy as np
import pytest
import torch

from envs.push import PushEnv
from envs.scene import PRESETS
from envs.task_set import load
from vfplan.card import main as make_card
from vfplan.control.scoring import Scorer, ScoringConfig
from vfplan.costs import Goal, GoalImage, GoalImageConfig
from vfplan.models.base import Context
from vfplan.models.checkpoint import SHIPPED, load_checkpoint, shipped_checkpoint
from vfplan.pixels import unit_from_frames
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
    assert checkpoint.training["data"]["episodes"] >= 2000
    assert checkpoint.training["data"]["digest"] in card(env)


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_its_card_is_what_the_command_makes(env, tmp_path):
    make_card([f"checkpoint={env}", f"out={tmp_path / 'card.md'}"])
    assert (tmp_path / "card.md").read_text() == card(env)


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_it_was_trained_on_the_frames_that_the_environment_draws_today(env):
    trained, today = load_checkpoint(shipped_checkpoint(env)).environment, PushEnv(PRESETS[env]).description()
    for key in ("name", "image_size", "renderer", "action_scale", "camera"):
        assert trained[key] == today[key], key
    # Computed with a matrix product, whose last digit depends on the processor.
    np.testing.assert_allclose(trained["floor_to_pixel"], today["floor_to_pixel"], rtol=1e-12)


def test_gradients_of_the_cost_reach_the_actions_through_all_choices_of_the_model():
    """At temperature 0 every latent copies or changes, all or nothing; the slope in between is that of the cost."""
    model = load_checkpoint(shipped_checkpoint("push")).model
    part = load("push", "dev").select(range(2))
    environment = PushEnv()
    seen = [environment.reset(seed=0, options={"state": state})[0]["image"] for state in part.start_state]
    frames = torch.from_numpy(np.stack(seen)).permute(0, 3, 1, 2)
    goal = unit_from_frames(torch.from_numpy(part.goal_image_without_hand).permute(0, 3, 1, 2))
    with torch.no_grad():
        state = model.encode(Context(frames[:, None].expand(-1, 3, -1, -1, -1), torch.zeros(2, 2, 4)))
    scorer = Scorer(model, GoalImage(GoalImageConfig()), ScoringConfig())
    rng = torch.Generator().manual_seed(0)
    score = scorer.score(state, Goal(goal), rng)
    # Pushes in all directions, each the same for eight steps.
    plans = torch.zeros(2, 8, 8, 4)
    angle = torch.arange(8) * (torch.pi / 4)
    plans[..., 0], plans[..., 1] = 0.6 * angle.cos()[:, None], 0.6 * angle.sin()[:, None]
    plans.requires_grad_()
    (slope,) = torch.autograd.grad(score(plans).sum(), plans)
    with torch.no_grad():
        towards = slope / slope.flatten(2).norm(dim=2)[..., None, None]
        measured = (score(plans + 0.002 * towards) - score(plans - 0.002 * towards)) / 0.004
    predicted = slope.flatten(2).norm(dim=2)
    # Within so short a step most plans cross no choice; the others' difference is mostly that of the jump.
    assert ((measured - predicted).abs() / predicted).median() < 0.05


@torch.no_grad()
def test_frames_sampled_at_temperature_one_come_back_from_their_latents():
    model = load_checkpoint(shipped_checkpoint("push")).model
    seen = torch.from_numpy(load("push", "dev").start_image[:4]).permute(0, 3, 1, 2)
    state = model.encode(Context(seen[:, None].expand(-1, 3, -1, -1, -1), torch.zeros(4, 2, 4)))
    rng = torch.Generator().manual_seed(0)
    images = model.rollout(state, torch.zeros(4, 8, 4), model.sample_noise(4, 8, rng)).images.flatten(0, 1)
    assert (model.image(model.latents(images)) - images).abs().max() < 1e-4  # of the range of pixels, which is 1


@pytest.mark.timeout(900)  # 150 plans
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
