import numpy as np
import pytest
import registered

import envs
from envs import policies
from envs.gym_env import PRESETS, GymConfig, GymEnv, area_average


def dot(kind="Dot", **options):
    return GymEnv(GymConfig(id=f"vfplan-test/{kind}-v0", **options))


def test_actions_map_linearly_onto_the_bounds():
    env = dot()
    env.reset(seed=0)
    assert env.action_space.shape == (2,) and (env.action_space.low == -1).all()
    given = env._env.unwrapped.given
    for action in ([-1, 1], [0, 0.5], [-3, 9]):
        env.step(action)
    np.testing.assert_allclose(given, [[0, 4], [2, 3], [0, 4]])
    assert given[0].dtype == np.float32


@pytest.mark.parametrize("size", [16, 20, 64])
def test_frames_are_averaged_over_equal_areas(size):
    frame = np.random.default_rng(0).integers(0, 256, (80, 96, 3), dtype=np.uint8)
    fine = np.repeat(np.repeat(frame, size, axis=0), size, axis=1).astype(float)  # every cell is a whole block of these
    exact = fine.reshape(size, 80, size, 96, 3).mean(axis=(1, 3))
    assert np.abs(area_average(frame, size) - exact).max() <= 0.5 + 1e-6


def test_halves_are_rounded_up_where_cells_are_whole_pixels():
    frame = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    exact = frame.reshape(32, 2, 32, 3, 3).mean(axis=(1, 3))
    np.testing.assert_array_equal(area_average(frame, 32), np.floor(exact + 0.5 + 1e-9))


@pytest.mark.parametrize("kind", ["Dot", "Pixels"])
def test_pixels_come_from_observations_or_from_rendering(kind):
    env = dot(kind, image_size=40)
    observation, _ = env.reset(seed=1)
    assert set(observation) == {"image"} and observation["image"].shape == (40, 40, 3)
    expected = area_average(registered.Dot.render(env._env.unwrapped), 40)
    np.testing.assert_array_equal(observation["image"], expected)
    np.testing.assert_array_equal(env.render(), expected)


def test_without_images_nothing_is_drawn_once_pixels_were_checked(monkeypatch):
    env = GymEnv(GymConfig(id="vfplan-test/Dot-v0"), images=False)
    monkeypatch.setattr(registered.Dot, "render", lambda self: pytest.fail("an image is drawn"))
    assert env.observation_space.contains(env.reset(seed=0)[0]) and env.step([0.5, 0.5])[0] == {}
    with pytest.raises(ValueError, match="images=True"):
        env.render()


def test_the_same_seed_and_actions_give_the_same_frames():
    def run():
        env = dot()
        first, _ = env.reset(seed=4)
        return [first["image"], *(env.step([0.3, -0.8])[0]["image"] for _ in range(3))]

    np.testing.assert_array_equal(run(), run())


def test_an_episode_that_ended_stays_as_it_is():
    env = dot("Ending")
    env.reset(seed=0)
    results = [env.step([1, 1]) for _ in range(5)]
    assert [result[2] for result in results] == [False, False, True, True, True]
    assert results[2][1] > 0 and results[3][1] == results[4][1] == results[4][4]["reward"] == 0
    np.testing.assert_array_equal(results[2][0]["image"], results[4][0]["image"])


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, ["env=gym needs env.id="]),
        ({"id": "Nope-v1"}, ["env.id=Nope-v1 cannot be made", "doesn't exist"]),
        ({"id": "no_such_module:Nope-v1"}, ["cannot be imported", "no_such_module"]),
        ({"id": "vfplan-test/Blind-v0"}, ["a Box", "found Discrete(3)", "render modes: human"]),
        ({"id": "vfplan-test/Unbounded-v0"}, ["finite action bounds", "inf"]),
        ({"id": "vfplan-test/Unseeded-v0"}, ["a seed that decides", "different frames right after"]),
        ({"id": "vfplan-test/Undrawn-v0"}, ["cannot draw: RuntimeError: no display"]),
        ({"id": "vfplan-test/Short-v0"}, ["env.length=30", "an end after 10"]),
        ({"id": "vfplan-test/Dot-v0", "image_size": 128}, ["env.image_size=128", "found (80, 96, 3)"]),
        ({"id": "vfplan-test/Dot-v0", "length": 0}, ["length must be in [1, 100000], got 0"]),
    ],
)
def test_what_an_environment_lacks_is_said_in_one_line(config, words):
    with pytest.raises(ValueError) as caught:
        GymEnv(GymConfig(**config))
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_bad_actions_are_refused():
    env = dot()
    with pytest.raises(ValueError, match=r"call reset\(\)"):
        env.step([0, 0])
    env.reset(seed=0)
    for bad in ([0], [0, np.nan]):
        with pytest.raises(ValueError, match="2 finite numbers"):
            env.step(bad)


def test_smooth_actions_fill_their_range_and_change_slowly():
    episodes = [policies.rollout_episode(dot(), policies.Smooth(), 0, index) for index in range(12)]
    actions = np.stack([episode["actions"] for episode in episodes])
    assert actions.shape == (12, 30, 2) and np.abs(actions).max() == 1 and np.abs(actions.mean()) < 0.2
    assert (
        np.abs(np.diff(actions, axis=1)).mean() < 0.5 * np.abs(actions[:, :-1] - np.roll(actions, 1, 0)[:, 1:]).mean()
    )
    assert episodes[0]["hand"].shape == (31, 0) and episodes[0]["object_xy"].shape == (31, 0, 2)


def test_a_pushing_environment_is_a_registered_one_too():
    env = GymEnv(GymConfig(id="vfplan/Push-v0"))
    direct = envs.make("push")
    np.testing.assert_array_equal(env.reset(seed=3)[0]["image"], direct.reset(seed=3)[0]["image"])
    action = np.array([0.5, -0.5, 0, 0])
    np.testing.assert_array_equal(env.step(action)[0]["image"], direct.step(action)[0]["image"])


def test_pusht_shows_the_same_for_the_same_seed():
    pytest.importorskip("gym_pusht")
    env = GymEnv(PRESETS["pusht"])
    first, info = env.reset(seed=0)
    assert first["image"].shape == (64, 64, 3) and env.action_space.shape == (2,)
    *_, after = env.step([0.5, 0.5])
    assert len(info["block_pose"]) == 3 and after["coverage"] >= 0


def test_without_gym_pusht_the_extra_is_named():
    try:
        import gym_pusht  # noqa: F401
    except ImportError:
        with pytest.raises(ValueError, match=r"pip install 'vfplan\[pusht\]'"):
            GymEnv(PRESETS["pusht"])
