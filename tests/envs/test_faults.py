"""Every fault does what it says, at its time and from its seed; before, nothing differs."""

import itertools

import numpy as np
import pytest

import envs
from envs.faults import FAULTS, TELEPORT_DISTANCE, inject

START = 3
ACTIONS = np.random.default_rng(0).uniform(-1, 1, (6, 4)).astype(np.float32)


def episode(name=None, *, seed=1, preset="push", actions=ACTIONS, state=None):
    """Images (T + 1, ...), infos and the environment after the actions."""
    env = envs.make(preset)
    if name is not None:
        env = inject(env, name, start=START, seed=seed)
    first, info = env.reset(seed=4, options={} if state is None else {"state": state})
    results = [env.step(action) for action in actions]
    return np.stack([first["image"], *(r[0]["image"] for r in results)]), [info, *(r[4] for r in results)], env


@pytest.mark.parametrize("preset", ["push", "push_bair"])
@pytest.mark.parametrize("name", FAULTS)
def test_until_a_fault_strikes_nothing_differs(name, preset):
    frames, infos, _ = episode(name, preset=preset)
    nominal, expected, _ = episode(preset=preset)
    assert np.array_equal(frames[: START + 1], nominal[: START + 1])
    assert np.array_equal(infos[START]["object_xy"], expected[START]["object_xy"])


@pytest.mark.parametrize("name", FAULTS)
def test_the_same_seed_gives_the_same_fault_and_a_reset_undoes_it(name):
    frames, _, env = episode(name)
    assert np.array_equal(frames, episode(name)[0])
    again, _ = env.reset(seed=4)
    assert np.array_equal(again["image"], frames[0])
    assert np.array_equal(env.step(ACTIONS[0])[0]["image"], frames[1])


@pytest.mark.parametrize("preset", ["push", "push_bair"])
def test_teleport_moves_one_object_far_in_one_action(preset):
    _, infos, _ = episode("teleport", preset=preset, actions=np.zeros((6, 4), np.float32))
    jumps = np.array([np.hypot(*(b["object_xy"] - a["object_xy"]).T) for a, b in itertools.pairwise(infos)])
    assert (jumps[START] > 0.9 * TELEPORT_DISTANCE).sum() == 1
    assert jumps[:START].max(initial=0) < 0.005 and jumps[START + 1 :].max() < 0.005
    assert not np.array_equal(episode("teleport", seed=2)[1][-1]["object_xy"], episode("teleport")[1][-1]["object_xy"])


def test_friction_is_five_times_as_high():
    before, after = episode()[2].get_state(), episode("friction")[2].get_state()
    assert after[-1] == pytest.approx(5 * before[-1])
    assert np.array_equal(before[-9:-1], after[-9:-1])


def test_the_actuator_moves_the_hand_half_as_far():
    toward_centre = np.zeros((6, 4), np.float32)
    start = episode()[1][0]["hand_xyz"][:2]
    toward_centre[START, :2] = -0.8 * np.sign(start)
    paths = [
        np.array([info["hand_xyz"][:2] for info in episode(name, actions=toward_centre)[1]])
        for name in (None, "actuator")
    ]
    whole, half = (np.abs(path[START + 1] - path[START]) for path in paths)
    assert np.allclose(half, 0.5 * whole, rtol=0.1)


def test_the_camera_shift_moves_the_image_by_three_pixels_and_the_world_not_at_all():
    frames, infos, env = episode("camera")
    nominal, expected, plain = episode()
    assert np.allclose(infos[-1]["object_xy"], expected[-1]["object_xy"], atol=1e-12)
    centre = np.array([0.0, 0.0, 1.0])
    here, there = (np.asarray(e.floor_to_pixel) @ centre for e in (plain, env.env))
    shift = np.hypot(*(here[:2] / here[2] - there[:2] / there[2]))
    assert shift == pytest.approx(3, abs=0.3)
    assert all((a != b).any() for a, b in zip(frames[START + 1 :], nominal[START + 1 :], strict=True))


@pytest.mark.parametrize("preset", ["push", "push_bair"])
def test_the_second_object_appears_at_rest_and_the_first_goes_on(preset):
    still = np.zeros((6, 4), np.float32)
    frames, infos, _ = episode("object", preset=preset, actions=still)
    nominal, expected, plain = episode(preset=preset, actions=still)
    count = plain.num_objects
    assert len(infos[START]["object_xy"]) == count and len(infos[START + 1]["object_xy"]) == count + 1
    assert np.allclose(infos[-1]["object_xy"][:count], expected[-1]["object_xy"], atol=1e-3)
    assert np.allclose(infos[-1]["object_xy"][-1], infos[START + 1]["object_xy"][-1], atol=2e-3)
    assert np.allclose(infos[-1]["hand_xyz"], expected[-1]["hand_xyz"], atol=1e-3)
    changed = (frames[-1] != nominal[-1]).any(-1).mean()
    assert 0.003 < changed < 0.1  # an object, and no more


def test_one_frame_is_blank():
    frames, infos, _ = episode("blank")
    nominal, expected, _ = episode()
    assert (frames[START + 1] == 0).all()
    others = np.arange(len(frames)) != START + 1
    assert np.array_equal(frames[others], nominal[others])
    assert np.array_equal(infos[-1]["object_xy"], expected[-1]["object_xy"])


def test_unknown_faults_and_times_are_refused():
    with pytest.raises(ValueError, match="no fault 'flood'; there are teleport, friction"):
        inject(envs.make("push"), "flood", start=0, seed=0)
    with pytest.raises(ValueError, match="start must not be negative; got -1"):
        inject(envs.make("push"), "blank", start=-1, seed=0)
