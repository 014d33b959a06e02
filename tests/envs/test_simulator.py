import numpy as np
import pytest

import envs


@pytest.mark.parametrize("name", ["push", "push_bair", "push_slip"])
def test_batch_equals_environment_row_by_row(name):
    env = envs.make(name)
    states = np.stack([env.reset(seed=i)[0] and env.get_state() for i in range(10)])
    actions = np.random.default_rng(0).uniform(-1, 1, (3, 10, 4))
    simulator = envs.BatchSimulator(env.config, num_threads=2)
    rows = states
    for action in actions:
        rows = simulator.step(rows, action)
    frames, places = simulator.render(rows), simulator.object_xy(rows)
    for i in range(10):
        env.set_state(states[i])
        for action in actions[:, i]:
            observation, *_, info = env.step(action)
        np.testing.assert_array_equal(env.get_state(), rows[i])
        np.testing.assert_array_equal(observation["image"], frames[i])
        np.testing.assert_array_equal(info["object_xy"], places[i])


def test_number_of_threads_changes_nothing():
    config = envs.config("push_bair")
    env = envs.make("push_bair")
    states = np.stack([env.reset(seed=i)[0] and env.get_state() for i in range(40)])
    actions = np.random.default_rng(0).uniform(-1, 1, (40, 4))
    one, two = (envs.BatchSimulator(config, num_threads=n) for n in (1, 2))
    np.testing.assert_array_equal(one.step(states, actions), two.step(states, actions))
    np.testing.assert_array_equal(one.render(states), two.render(states))


def test_inputs_are_left_alone_and_smaller_batches_follow_larger_ones():
    env = envs.make("push")
    env.reset(seed=0)
    simulator = envs.BatchSimulator(env.config, num_threads=1)
    states = np.repeat(env.get_state()[None], 5, axis=0)
    kept = states.copy()
    large = simulator.step(states, np.ones((5, 4)))
    np.testing.assert_array_equal(states, kept)
    np.testing.assert_array_equal(simulator.step(states[:2], np.ones((2, 4))), large[:2])
    assert simulator.step(states[:0], np.ones((0, 4))).shape == states[:0].shape
    assert simulator.render(states[:0]).shape == (0, 64, 64, 3)


def test_states_of_another_preset_are_refused():
    simulator = envs.BatchSimulator(envs.config("push"))
    with pytest.raises(ValueError, match="another preset"):
        simulator.step(np.zeros((2, 7)), np.zeros((2, 4)))
    with pytest.raises(ValueError, match="one per state"):
        simulator.step(np.zeros((2, simulator.state_size)), np.zeros((3, 4)))


def test_objects_are_drawn_in_their_own_colours():
    env = envs.make("push_bair")
    env.reset(seed=3)
    state, simulator = env.get_state()[None], envs.BatchSimulator(env.config)
    colours, frame = simulator.object_colours(state)[0], simulator.render(state, hand_visible=False)[0] / 255
    for colour in colours:
        # Lit from above, an object shows its colour times at most one brightness.
        likeness = (frame @ colour) / np.maximum(np.linalg.norm(frame, axis=-1) * np.linalg.norm(colour), 1e-9)
        assert (likeness > 0.999).sum() > 20  # pixels
