import numpy as np
import pytest

import envs
from envs import goals, scene


@pytest.mark.parametrize("name", ["push", "push_bair", "push_clutter"])
def test_a_goal_moves_one_object_to_a_place_in_the_bin_apart_from_the_others(name):
    env, shell = envs.make(name, image_size=16), envs.make(name, image_size=16)
    rng = np.random.default_rng(0)
    for seed in range(8):
        env.reset(seed=seed)
        state, before = env.get_state(), env.object_xy
        goal = goals.draw(shell, state, rng)
        after = shell.object_xy
        np.testing.assert_array_equal(after[goal.target], goal.xy)
        np.testing.assert_array_equal(np.delete(after, goal.target, 0), np.delete(before, goal.target, 0))
        assert 0.08 <= np.hypot(*(goal.xy - before[goal.target])) <= 0.20
        assert np.abs(goal.xy).max() + env.config.object_radius < scene.BIN_HALF
        gaps = np.hypot(*(np.delete(after, goal.target, 0) - goal.xy).T)
        assert gaps.min(initial=1.0) > 1.6 * env.config.object_radius  # which is that of the largest
        np.testing.assert_array_equal(goal.image, shell.render(hand_visible=False))
        np.testing.assert_array_equal(env.get_state(), state)
        assert goal.reached(after, 1e-6) and not goal.reached(before, 0.05)


def test_in_a_crowd_the_roomiest_place_will_do():
    env, shell = envs.make("push_clutter", image_size=16), envs.make("push_clutter", image_size=16)
    env.reset(seed=0)
    grid = np.array([[x, y] for x in (-0.1, 0.1) for y in (-0.1, 0.1)])
    places = goals.place(env.config, np.concatenate([grid, [[0.0, 0.0]]]), 4, np.random.default_rng(0))
    assert np.abs(places).max() < scene.BIN_HALF
    shell.close()
