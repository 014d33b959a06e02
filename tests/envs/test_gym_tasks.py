import numpy as np
import pytest
import registered  # noqa: F401

from envs import gym_tasks, pusht
from envs.gym_env import GymConfig, GymEnv
from envs.gym_tasks import GymOutcome

DOT = GymConfig(id="vfplan-test/Dot-v0", image_size=32, goal_steps=6)


def test_the_stored_actions_lead_from_the_start_to_the_goal_image():
    tasks, env = gym_tasks.generate(DOT, "dev", 4), GymEnv(DOT)
    for index, seed in enumerate(tasks.seeds):
        observation, _ = env.reset(seed=seed)
        np.testing.assert_array_equal(observation["image"], tasks.start_image[index])
        for action in tasks.actions[index]:
            observation, *_ = env.step(action)
        np.testing.assert_array_equal(observation["image"], tasks.goal_image[index])


def test_tasks_depend_on_split_and_index_alone_and_the_hash_tells():
    few, more, other = (gym_tasks.generate(DOT, *what) for what in (("dev", 2), ("dev", 3), ("benchmark", 2)))
    np.testing.assert_array_equal(few.goal_image, more.goal_image[:2])
    assert few.sha256 == gym_tasks.generate(DOT, "dev", 2).sha256
    assert len({few.sha256, more.sha256, other.sha256}) == 3


def test_no_task_is_solved_at_its_start():
    tasks = gym_tasks.generate(DOT, "dev", 6)
    for index in range(6):
        still = np.repeat(tasks.start_image[index, None], 3, axis=0)
        task = tasks.select(range(index, index + 1))
        [found] = task.outcomes(still[None], [[{"reward": 1.0}, {"reward": 0.5}]])
        assert found == GymOutcome(tasks.seeds[index], solved=False, final=1.0, closest=1.0, reward=1.5)
        there = np.stack([tasks.start_image[index], tasks.goal_image[index]])
        [found] = task.outcomes(there[None], [[{"reward": 0.0}]])
        assert found.final == 0 and found.solved


@pytest.mark.parametrize("kind", ["Still", "Ending"])
def test_an_environment_in_which_random_actions_lead_nowhere_is_named(kind, monkeypatch):
    monkeypatch.setattr(gym_tasks, "MAX_DRAWS", 5)
    with pytest.raises(ValueError, match="change the image too little, or end the episode, in 5 attempts"):
        gym_tasks.generate(GymConfig(id=f"vfplan-test/{kind}-v0"), "dev", 1)


def test_there_are_only_so_many_tasks():
    with pytest.raises(ValueError, match="num_tasks=51, but gym dev has 50 tasks"):
        gym_tasks.generate(DOT, "dev", 51)


def test_image_distance_is_the_root_mean_square_of_the_range():
    black, half = np.zeros((2, 8, 8, 3), np.uint8), np.zeros((8, 8, 3), np.uint8)
    half[:4] = 255
    np.testing.assert_allclose(gym_tasks.image_distance(black, half), [0.5**0.5] * 2)


@pytest.mark.parametrize(
    ("pose", "px", "degrees", "covered"),
    [
        ((100, 100, 0), 0, 0, 1.0),
        ((100, 100, 2 * np.pi), 0, 0, 1.0),
        ((160, 100, 0), 60, 0, 1800 / 6300),  # half of the crossbar
        ((100, 130, 0), 30, 0, 2700 / 6300),  # all of the stem
        ((100, 100, np.pi), 0, 180, 0.0),  # they meet in an edge
        ((500, 500, 1), 565.7, 57.3, 0.0),
    ],
)
def test_pose_errors_of_a_moved_t(pose, px, degrees, covered):
    found = pusht.pose_error(pose, (100, 100, 0))
    assert found["block_px"] == pytest.approx(px, abs=0.1)
    assert found["block_degrees"] == pytest.approx(degrees, abs=0.1)
    assert found["coverage"] == pytest.approx(covered, abs=0.01)


def test_success_takes_both_place_and_angle():
    assert pusht.is_solved({"block_px": 19, "block_degrees": 19})
    assert not pusht.is_solved({"block_px": 21, "block_degrees": 0})
    assert not pusht.is_solved({"block_px": 0, "block_degrees": 21})
