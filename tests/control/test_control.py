"""Closed-loop control with models and worlds whose right answer is known."""

import numpy as np
import pytest
import torch

import planners
from vfplan.control.agent import plan_episodes
from vfplan.control.controller import Controller
from vfplan.control.loop import Problem
from vfplan.control.scoring import Scorer, ScoringConfig
from vfplan.control.settings import ControlConfig
from vfplan.costs import Goal, GoalImage, GoalImageConfig
from vfplan.models.base import Context
from vfplan.models.rows import Rows

SIZE = 16


def draw(positions):
    """Red 2x2 blobs at positions (..., 2) in pixels, anti-aliased, on grey: (..., 3, SIZE, SIZE) float."""
    centres = torch.arange(SIZE) + 0.5
    cover = (1.0 - (centres - positions[..., None]).abs() / 2).clamp(0, 1)
    blob = cover[..., 1, :, None] * cover[..., 0, None, :]
    return torch.stack([0.7 + 0.3 * blob, 0.7 - 0.6 * blob, 0.7 - 0.6 * blob], dim=-3)


def moved(position, action):
    """Two pixels per unit of action; walls keep the blob in the image."""
    return (position + 2 * action).clamp(1, SIZE - 1)


class BlobModel:
    """The blob moves by two pixels per unit of action, plus noise; it reads the position from the frame's colour.

    States are positions (B, 2), noise and rollouts (B, T, 2).
    """

    past_frames, action_dim, reads_simulator = 2, 4, False

    def encode(self, context):
        assert context.sim_state is None and context.actions.shape[1] == 1
        colour = context.frames[:, -1].float()
        weight = (colour[:, 0] - colour[:, 1]).clamp(min=0)
        axis = torch.arange(SIZE) + 0.5
        x, y = (weight.sum(1) * axis).sum(1), (weight.sum(2) * axis).sum(1)
        return Rows(torch.stack([x, y], 1) / weight.sum((1, 2))[:, None])

    def sample_noise(self, rows, steps, rng, *, downscale=1):
        if rng is None:
            return Rows(torch.zeros(rows, steps, 2))
        return Rows(torch.randn(rows, steps, 2, generator=rng))

    def rollout(self, state, actions, noise, *, downscale=1):
        position, path = state.values, []
        for step in range(actions.shape[1]):
            position = moved(position, actions[:, step, :2]) + noise.values[:, step]
            path.append(position)
        return Rows(torch.stack(path, 1))

    def decode(self, rollout, steps=None):
        return draw(rollout.values if steps is None else rollout.values[:, steps])


class BlobWorld:
    """The same blob as an environment."""

    def __init__(self, position):
        self.position = torch.tensor(position, dtype=torch.float32)

    def observe(self):
        image = (draw(self.position) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
        return {"image": image}

    def step(self, action):
        self.position = moved(self.position, torch.from_numpy(action[:2]))
        return self.observe(), 0.0, False, False, {"position": self.position.numpy().copy()}

    def get_state(self):
        raise AssertionError("only the oracle may read the simulator's state")


STARTS, GOALS = [(3.0, 3.0), (12.0, 5.0), (8.0, 12.0)], [(11.0, 9.0), (4.0, 4.0), (8.0, 4.0)]
CONFIG = ControlConfig(steps=7, replan_every=2)


def problem(rows=range(3)):
    worlds = [BlobWorld(STARTS[row]) for row in rows]
    goals = np.stack([BlobWorld(GOALS[row]).observe()["image"] for row in rows])
    return Problem(worlds, [world.observe() for world in worlds], goals)


SCORING = ScoringConfig(downscale=1)


def scorer(config=SCORING):
    return Scorer(BlobModel(), GoalImage(GoalImageConfig()), config)


def controller(config=CONFIG, seed=0, planner=None):
    planner = planner or planners.build(planners.IcemConfig(horizon=4, samples=32), 4)
    return Controller(BlobModel(), planner, scorer(), config, torch.Generator().manual_seed(seed))


def test_control_brings_every_blob_to_its_goal_and_stays():
    trajectory = plan_episodes(problem(), controller())
    for infos, goal in zip(trajectory.infos, GOALS, strict=True):
        assert np.linalg.norm(infos[-1]["position"] - goal) < 1.0  # half the width of the blob


def test_a_goal_that_changes_on_the_way_is_pursued_from_a_cold_start():
    second = problem().goal_images[::-1].copy()
    loop, calls = controller(ControlConfig(steps=16, replan_every=2)), []

    def renew(goals):
        calls.append(goals)
        return second if len(calls) > 3 else goals

    cold, forget = [], loop.forget
    loop.forget = lambda problems: cold.append(problems.tolist()) or forget(problems)
    trajectory = plan_episodes(problem(), loop, renew=renew)
    assert len(calls) == 8 and cold == [[True, False, True]]
    np.testing.assert_array_equal(calls[-1], second)
    for infos, goal in zip(trajectory.infos, GOALS[::-1], strict=True):
        assert np.linalg.norm(infos[-1]["position"] - goal) < 1.0


def test_what_is_executed_instead_of_a_plan_is_what_is_remembered():
    trajectory = plan_episodes(problem(), controller(), imagine=False, disturb=lambda action: action * 0 + 0.25)
    assert (trajectory.actions == 0.25).all()
    for infos, start in zip(trajectory.infos, STARTS, strict=True):
        np.testing.assert_allclose(infos[0]["position"], np.array(start) + 0.5)


def test_gradients_through_model_and_cost_bring_every_blob_to_its_goal():
    """Two starts only, and none of their actions is drawn near the right one."""
    planner = planners.build(planners.GradientConfig(horizon=4, samples=2, steps=8, step_size=0.2, init_std=0.01), 4)
    trajectory = plan_episodes(problem(), controller(planner=planner))
    for infos, goal in zip(trajectory.infos, GOALS, strict=True):
        assert np.linalg.norm(infos[-1]["position"] - goal) < 1.0


def test_shapes_of_what_happened():
    trajectory = plan_episodes(problem(), controller())
    assert trajectory.frames.shape == (3, 8, SIZE, SIZE, 3)
    assert trajectory.actions.shape == (3, 7, 4)
    assert trajectory.imagined.shape == (3, 7, SIZE, SIZE, 3)
    assert trajectory.plan_costs.shape == (4, 3) and len(trajectory.plan_seconds) == 4


def test_what_a_perfect_model_imagined_is_what_happened():
    trajectory = plan_episodes(problem(), controller())
    difference = trajectory.imagined.astype(int) - trajectory.frames[:, 1:].astype(int)
    assert np.abs(difference).max() <= 12  # the model reads positions from rounded colours


def test_the_same_seed_gives_the_same_episode():
    first, second = (plan_episodes(problem(), controller(seed=4)) for _ in range(2))
    other = plan_episodes(problem(), controller(seed=5))
    assert np.array_equal(first.actions, second.actions)
    assert not np.array_equal(first.actions, other.actions)


def test_zero_actions_change_nothing():
    trajectory = plan_episodes(problem(), controller(planner=planners.build(planners.ZeroConfig(horizon=4), 4)))
    assert (trajectory.actions == 0).all()
    assert (trajectory.frames == trajectory.frames[:, :1]).all()


def score(config, plans, seed=0):
    frames = torch.stack([torch.from_numpy(BlobWorld(p).observe()["image"]).permute(2, 0, 1) for p in STARTS])
    context = Context(frames[:, None].expand(-1, 2, -1, -1, -1), torch.zeros(3, 1, 4))
    goal = Goal(draw(torch.tensor(GOALS)))
    return scorer(config).score(BlobModel().encode(context), goal, torch.Generator().manual_seed(seed))(plans)


def plans(candidates=5):
    return torch.rand(3, candidates, 4, 4, generator=torch.Generator().manual_seed(7)) * 2 - 1


def test_the_limit_on_rows_bounds_memory_and_not_results():
    whole = score(ScoringConfig(downscale=1), plans())
    for rows in (1, 5, 7, 10):
        assert torch.allclose(score(ScoringConfig(downscale=1, rows_per_call=rows), plans()), whole)


def test_a_cost_is_given_the_models_memory_and_the_newest_frame_of_its_own_problems():
    seen = []

    def cost(frames, actions, goal):
        seen.append((len(frames), goal.memory.values, goal.current))
        return frames.new_zeros(frames.shape[:2])

    planner = planners.build(planners.IcemConfig(horizon=4, samples=8, elites=4, iterations=1), 4)
    watched = Scorer(BlobModel(), cost, ScoringConfig(downscale=1, rows_per_call=8))
    watching = Controller(BlobModel(), planner, watched, ControlConfig(steps=1, replan_every=1), torch.Generator())
    plan_episodes(problem(), watching)
    assert len(seen) == 3  # a call per problem
    for (count, memory, current), start in zip(seen, STARTS, strict=True):
        assert count == 1 and torch.allclose(memory, torch.tensor([start]), atol=0.1)
        assert torch.allclose(current, draw(torch.tensor([start])), atol=0.01)


def test_equal_candidates_face_equal_noise():
    same = plans(1).expand(3, 5, 4, 4)
    costs = score(ScoringConfig(downscale=1, samples=3, temperature=1.0), same)
    assert torch.allclose(costs, costs[:, :1].expand_as(costs))
    assert not torch.allclose(costs, score(ScoringConfig(downscale=1), same))


def test_the_mean_over_many_samples_hardly_depends_on_the_seed():
    few, many = (
        torch.stack([score(ScoringConfig(downscale=1, samples=k, temperature=0.3), plans(2), seed=s) for s in (0, 1)])
        for k in (1, 64)
    )
    assert (many[0] - many[1]).abs().max() < 0.3 * (few[0] - few[1]).abs().max()


@pytest.mark.parametrize(
    ("settings", "changes", "message"),
    [
        (ControlConfig, {"steps": 0}, "steps must be in"),
        (ControlConfig, {"replan_every": -1}, "replan_every must be in"),
        (ScoringConfig, {"temperature": -0.1}, "temperature must be in"),
        (ScoringConfig, {"samples": 2}, "at temperature 0 are all equal"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, changes, message):
    with pytest.raises(ValueError, match=message):
        settings(**changes)
