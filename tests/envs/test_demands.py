import numpy as np
import pytest

import envs
from envs import demands, scene
from envs.task_set import load

TRIED = range(0, 50, 7)


def replayed(task_set, index, env):
    """The frames without the hand and the states (T+1, S) of a stored push."""
    env.reset(seed=task_set.seeds[index], options={"state": task_set.start_state[index]})
    frames, states = [env.render(hand_visible=False)], [env.get_state()]
    for action in task_set.actions[index, : task_set.num_actions[index]]:
        env.step(action)
        frames.append(env.render(hand_visible=False))
        states.append(env.get_state())
    return np.stack(frames), np.stack(states)


def coloured(frames):
    return (np.ptp(frames.astype(int), axis=-1) > 0).sum(axis=(-1, -2))


def test_the_object_is_out_of_sight_on_the_way_and_in_sight_at_both_ends():
    task_set, env = load("push_occluded", "dev"), envs.make("push_occluded")
    open_sky = envs.make("push_occluded", roof=None)
    for index in TRIED:
        frames, states = replayed(task_set, index, env)
        whole = np.array([coloured(open_sky.set_state(state)["image"]) for state in states[[0, -1]]])
        assert (coloured(frames) == 0).sum() >= 2
        assert (coloured(frames[[0, -1]]) >= 0.8 * whole).all()
        share = demands.share_in_sight(env.config, states)
        np.testing.assert_array_equal(share == 0, coloured(frames) == 0)


def test_nothing_touches_the_roof():
    task_set, env, open_sky = (load("push_occluded", "dev"), *map(envs.make, ("push_occluded", "push")))
    for index in TRIED:
        np.testing.assert_array_equal(replayed(task_set, index, env)[1], replayed(task_set, index, open_sky)[1])


def test_the_roof_changes_no_pixel_beside_it():
    env, open_sky = envs.make("push_occluded"), envs.make("push_occluded", roof=None)
    env.reset(seed=3)
    open_sky.reset(seed=3)
    corners = np.array([[sign * 0.06, y, 1.0] for sign in (-1, 1) for y in (-0.2, 0.2)])
    columns = [x / z for x, _, z in (env.floor_to_pixel @ corner for corner in corners)]
    beside = np.r_[0 : int(min(columns)) - 3, int(max(columns)) + 4 : 64]
    np.testing.assert_array_equal(env.render()[:, beside], open_sky.render()[:, beside])


def test_in_clutter_only_the_target_changes_between_start_and_goal_image():
    task_set, env = load("push_clutter", "dev"), envs.make("push_clutter")
    for index in range(len(task_set)):
        target = task_set.target[index]
        start = env.set_state(task_set.start_state[index]) and env.render(hand_visible=False)
        difference = np.abs(start.astype(int) - task_set.goal_image_without_hand[index])
        changed = np.argwhere((difference > 64).any(axis=-1))  # a third of a pixel: others move by less than 1 mm
        ends = np.stack([task_set.start_xy[index, target], task_set.goal_xy[index, target]])
        column, row, one = env.floor_to_pixel @ np.concatenate([ends, np.ones((2, 1))], axis=1).T
        centres = np.stack([row / one, column / one], axis=1)
        away = np.linalg.norm(changed[:, None] + 0.5 - centres, axis=-1).min(axis=1)
        assert len(changed) > 20 and away.max() < 9  # pixels; a cylinder of 2.6 cm, its height seen from the side


def test_in_clutter_a_straight_hand_would_hit_another_object():
    task_set, config = load("push_clutter", "dev"), envs.config("push_clutter")
    simulator = envs.BatchSimulator(config)
    hands = simulator.hand_xyz(task_set.start_state)[:, :2]
    for index, hand in enumerate(hands):
        target, start = task_set.target[index], task_set.start_xy[index]
        heading = task_set.goal_xy[index, target] - start[target]
        behind = start[target] - heading / np.hypot(*heading) * (scene.FINGER_RADIUS + config.object_radius)
        others = np.delete(start, target, axis=0)
        assert demands.distance_to_way(others, hand, behind).min() < 0.06  # two radii and the script's aim


def test_objects_of_a_cluttered_scene_differ_in_hue():
    for seed in range(20):
        env = envs.make("push_clutter")
        env.reset(seed=seed)
        rows = env.get_state()[-env.config.num_parameters :].reshape(5, -1)
        colours = rows[:, 4:7]
        gaps = np.linalg.norm(colours[:, None] - colours[None], axis=-1)[np.triu_indices(5, 1)]
        assert gaps.min() > 0.2


@pytest.mark.parametrize(
    ("start", "end", "distance"), [((0, 0), (2, 0), 1.0), ((0, 0), (0.5, 0), 1.118), ((1, 1), (1, 1), 0.0)]
)
def test_distance_to_a_way_is_that_to_its_nearest_point(start, end, distance):
    found = demands.distance_to_way(np.array([[1.0, 1.0]]), np.array(start, float), np.array(end, float))
    assert found == pytest.approx([distance], abs=1e-3)
