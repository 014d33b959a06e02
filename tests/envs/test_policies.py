import numpy as np
import pytest

import envs
from envs import policies


def episodes(name, policy, indices, seed=0):
    env, chosen = envs.make(name), policies.make(policy)
    return [policies.rollout_episode(env, chosen, seed, i) for i in indices]


@pytest.mark.parametrize("policy", policies.NAMES)
def test_episode_depends_only_on_seed_and_index(policy):
    forwards, backwards = episodes("push_bair", policy, [3, 4]), episodes("push_bair", policy, [4, 3])[::-1]
    for a, b in zip(forwards, backwards, strict=True):
        for key in a:
            np.testing.assert_array_equal(a[key], b[key])
    assert (forwards[0]["actions"] != episodes("push_bair", policy, [3], seed=1)[0]["actions"]).any()


@pytest.mark.parametrize("policy", policies.NAMES)
def test_episode_has_the_promised_arrays(policy):
    (episode,) = episodes("push", policy, [0])
    shapes = {key: (episode[key].shape, episode[key].dtype.name) for key in ("frames", "actions", "hand", "object_xy")}
    assert shapes == {
        "frames": ((31, 64, 64, 3), "uint8"),
        "actions": ((30, 4), "float32"),
        "hand": ((31, 3), "float32"),
        "object_xy": ((31, 1, 2), "float32"),
    }
    assert np.abs(episode["actions"]).max() <= 1 and np.std(episode["actions"], axis=0)[:2].min() > 0.05


def test_waypoints_move_an_object_in_nearly_every_episode():
    moved = [np.abs(e["object_xy"] - e["object_xy"][:1]).max() > 0.01 for e in episodes("push", "waypoints", range(20))]
    assert np.mean(moved) >= 0.9


def test_mixed_names_the_policy_of_each_episode():
    names = [e["policy"] for e in episodes("push", "mixed", range(30))]
    assert set(names) == {"waypoints", "noise"} and names.count("waypoints") > 20


def test_bair_holds_each_action_for_two_frames():
    (episode,) = episodes("push_bair", "bair", [0])
    np.testing.assert_array_equal(episode["actions"][0::2], episode["actions"][1::2])


def test_unknown_policy_is_named():
    with pytest.raises(ValueError, match="did you mean noise"):
        policies.make("noize")


def test_held_components_stay_at_their_values_and_the_others_are_the_policys():
    env = envs.make("push_bair", image_size=16)
    free = policies.rollout_episode(env, policies.make("noise"), 0, 0)
    held = policies.rollout_episode(env, policies.Held(policies.make("noise"), {2: -1.0, 3: 1.0}), 0, 0)
    np.testing.assert_array_equal(held["actions"][:, :2], free["actions"][:, :2])
    assert (held["actions"][:, 2] == -1).all() and (held["actions"][:, 3] == 1).all()
    assert held["policy"] == "noise" and (free["actions"][:, 2] == 1).any()


def test_scripted_pushes_go_farther_than_waypoints():
    """Mean largest displacement (m) of the box over 20 episodes."""
    scripted, waypoints = (
        np.mean([np.abs(e["object_xy"] - e["object_xy"][:1]).max() for e in episodes("push", policy, range(20))])
        for policy in ("scripted", "waypoints")
    )
    assert scripted > 1.3 * waypoints
