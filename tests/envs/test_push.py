import json
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import envs

PRESETS = ["push", "push_bair"]


def actions(num, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (num, 4)).astype(np.float32)


@pytest.fixture(params=PRESETS)
def env(request):
    env = envs.make(request.param)
    env.reset(seed=1)
    return env


def test_same_seed_gives_same_frames(env):
    def run():
        first, _ = env.reset(seed=5)
        return np.stack([first["image"]] + [env.step(a)[0]["image"] for a in actions(8)])

    np.testing.assert_array_equal(run(), run())


@pytest.mark.parametrize("name", ["push", "push_bair", "push_wind"])
def test_without_images_the_physics_are_the_same_and_nothing_is_drawn(name, monkeypatch):
    config = envs.config(name)
    seeing, blind = envs.world(config).build(), envs.world(config).build(images=False)
    expected = [seeing.reset(seed=2), *(seeing.step(action) for action in actions(12))]
    states = seeing.get_state()
    monkeypatch.setattr(envs.BatchSimulator, "render", lambda *arguments: pytest.fail("an image is drawn"))
    found = [blind.reset(seed=2), *(blind.step(action) for action in actions(12))]
    np.testing.assert_array_equal(blind.get_state(), states)
    for one, other in zip(expected, found, strict=True):
        assert set(other[0]) == {"hand"} == set(one[0]) - {"image"}
        np.testing.assert_array_equal(other[0]["hand"], one[0]["hand"])
        for key in ("object_xy", "hand_xyz"):
            np.testing.assert_array_equal(other[-1][key], one[-1][key])


def test_restored_state_continues_bit_for_bit_in_a_fresh_environment(env):
    for action in actions(3):
        env.step(action)
    saved = env.get_state()
    expected = [env.step(a) for a in actions(10, 1)]
    state = env.get_state()
    other = envs.make(env.config.name)
    other.reset(seed=99)
    other.set_state(saved)
    for action, (observation, *_, info) in zip(actions(10, 1), expected, strict=True):
        again, *_, again_info = other.step(action)
        np.testing.assert_array_equal(again["image"], observation["image"])
        np.testing.assert_array_equal(again_info["object_xy"], info["object_xy"])
    np.testing.assert_array_equal(other.get_state(), state)


def test_reset_to_a_state_shows_it(env):
    saved, image = env.get_state(), env.render()
    env.reset(seed=7)
    observation, _ = env.reset(options={"state": saved})
    np.testing.assert_array_equal(observation["image"], image)


def test_frames_and_states_share_no_memory(env):
    first, info = env.reset(seed=0)
    state = env.get_state()
    kept = first["image"].copy(), info["object_xy"].copy(), state.copy()
    second, *_, _ = env.step(actions(1)[0])
    assert not np.shares_memory(first["image"], second["image"])
    state[:] = 0
    for a, b in zip(kept[:2], (first["image"], info["object_xy"]), strict=True):
        np.testing.assert_array_equal(a, b)
    assert env.get_state().any()


def test_start_is_randomised_and_nothing_is_constant(env):
    starts = [env.reset(seed=i) for i in range(12)]
    for values in ([info["object_xy"] for _, info in starts], [info["hand_xyz"][:2] for _, info in starts]):
        assert np.std(np.stack(values), axis=0).min() > 0.02
    assert len({o["image"].tobytes() for o, _ in starts}) == 12
    states = np.stack([env.reset(seed=i)[0] and env.get_state() for i in range(3)])
    assert states.shape[1] == len(env.get_state())


def test_actions_move_the_hand_by_the_action_scale():
    env = envs.make("push")
    _, info = env.reset(seed=3)
    target = -np.sign(info["hand_xyz"][:2])
    _, *_, after = env.step(np.array([*(0.2 * target), 0, 0]))
    np.testing.assert_allclose(after["hand_xyz"][:2] - info["hand_xyz"][:2], 0.01 * target, atol=1e-3)  # 0.2 mm lag


def test_lift_and_close_are_ignored_in_push_and_used_in_push_bair(env):
    saved = env.get_state()
    low = env.step(np.array([0, 0, -1, -1]))[0]["image"]
    env.set_state(saved)
    observation, *_, info = env.step(np.array([0, 0, 1, 1]))
    assert np.array_equal(low, observation["image"]) == (env.config.name == "push")
    assert (info["hand_xyz"][2] > 0.05) == (env.config.name == "push_bair")


@pytest.mark.parametrize("name", envs.NAMES)
def test_check_env_has_no_complaints(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(envs.gymnasium_id(name)).unwrapped)


def test_check_env_has_no_complaints_without_images():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(envs.gymnasium_id("push_bair"), images=False).unwrapped, skip_render_check=True)


def test_episode_is_truncated_at_its_length():
    env = envs.make("push", length=3)
    env.reset(seed=0)
    assert [env.step(a)[2:4] for a in actions(3)] == [(False, False), (False, False), (False, True)]


def test_reward_is_minus_the_distance_to_a_given_goal(env):
    _, info = env.reset(seed=0)
    assert env.step(np.zeros(4))[1] == 0.0
    env.reset(seed=0, options={"goal_xy": info["object_xy"] + [0.03, 0.04]})
    assert env.step(np.zeros(4))[1] == pytest.approx(-0.05 * env.num_objects, abs=0.005)


def test_description_is_json(env):
    text = json.loads(json.dumps(env.description()))
    assert text["name"] == env.config.name and "<mujoco" in text["mjcf"] and text["renderer"] == "ray-1"


def test_wind_moves_objects_and_is_seeded():
    env = envs.make("push_wind", wind=0.5)

    def drift():
        _, before = env.reset(seed=0)
        for _ in range(5):
            *_, info = env.step(np.zeros(4))
        return np.abs(info["object_xy"] - before["object_xy"]).max()

    assert drift() == drift() > 0.001


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: envs.make("pusch"), "did you mean push"),
        (lambda: envs.make("push", imagesize=3), "did you mean image_size"),
        (lambda: envs.make("push", shapes=("cone",)), "box, cylinder"),
        (lambda: envs.make("push", render="vulkan"), "'ray' or 'gl'"),
        (lambda: envs.make("push_occluded", roof=0.5), r"roof must be in \[0.001, 0.399\], got 0.5"),
        (lambda: envs.make("push_bair", roof=0.1), "too low for the gripper"),
        (lambda: envs.make("push").step(np.zeros(4)), r"call reset\(\)"),
        (lambda: envs.make("push").set_state(np.zeros(3)), "finite numbers"),
        (lambda: envs.make("push").reset(options={"stat": 1}), "'state' and 'goal_xy'"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_bad_actions_are_refused(env):
    for bad in (np.zeros(3), np.full(4, np.nan)):
        with pytest.raises(ValueError, match="4 finite numbers"):
            env.step(bad)
