"""What an environment lacks is found by running it, whatever environment it is, and comes with what to do about it."""

from dataclasses import dataclass

import numpy as np
import pytest
import registered

import envs
from envs import probe
from envs.gym_env import GymConfig
from examples.own_environment import Disc, DiscConfig, DiscWorld
from tests.faults import bad_worlds

SUBJECTS = ["description", "frames", "info", "ends", "seed", "starts", "effect", "speed", "tasks"]


def found(world):
    findings = probe.findings(world)
    assert all(finding.fix for finding in findings if finding.needed)
    return {finding.subject: finding for finding in findings}


def lacking(world):
    return [finding.subject for finding in found(world).values() if finding.needed]


def gym(kind, **settings):
    return envs.world(GymConfig(id=f"{registered.__name__}:vfplan-test/{kind}-v0", image_size=32, **settings))


@pytest.mark.parametrize("world", [DiscWorld(DiscConfig()), envs.world(envs.config("push", length=4)), gym("Dot")])
def test_nothing_is_lacking_where_everything_is(world):
    findings = found(world)
    assert [subject for subject in findings if subject in SUBJECTS] == SUBJECTS
    assert not any(finding.needed or finding.fix for finding in findings.values())


def test_it_says_what_there_is():
    findings = found(gym("Told", length=7))
    assert findings["actions"].found == "Box(0.0, 4.0, (2,), float32)"
    assert findings["description"].found == "actions a0, a1 in [-1, 1], 0.2 s each"
    assert findings["frames"].found == "uint8 (32, 32, 3) in all of 8"
    assert findings["info"].found == "object_xy, reward"
    assert findings["starts"].found == "4 different ones for 4 seeds"


@pytest.mark.parametrize(
    ("world", "subjects", "words"),
    [
        (gym("Blind"), ["actions", "pixels"], "a Box of real numbers as action space"),
        (gym("Unbounded"), ["actions"], "finite action bounds"),
        (gym("Short"), ["length"], "episodes of env.length=30 actions"),
        (gym("Unseeded"), ["seed"], "a seed that decides about an episode"),
        (gym("Undrawn"), ["running"], "actions that run"),
        (gym("Still"), ["effect", "tasks"], "actions that change what is seen"),
        (envs.world(GymConfig(id="vfplan-test/Dot-v0", image_size=128)), ["frames"], "at least env.image_size=128"),
        *((envs.world(bad_worlds.config(fault)), ["frames"], "as they were promised") for fault in ("Nan", "Shape")),
        *((envs.world(bad_worlds.config(fault)), ["running"], "that run") for fault in ("Raises", "Exits")),
    ],
)
def test_what_is_lacking_is_named(world, subjects, words):
    findings = found(world)
    assert lacking(world) == subjects
    assert words in findings[subjects[0]].needed


def test_the_length_that_is_advised_is_taken():
    fix = found(gym("Short"))["length"].fix
    assert fix.startswith("set env.length=10 env.goal_steps=10")
    assert not lacking(gym("Short", length=10, goal_steps=10))
    assert "'env.kwargs={max_episode_steps: 30}'" in fix
    assert not lacking(gym("Short", kwargs={"max_episode_steps": 30}))


def test_an_early_end_is_a_note():
    ends = found(gym("Ending", goal_steps=2))["ends"]
    assert ends.found == "after 3 of 30 random actions" and "env.length=3" in ends.fix and not ends.needed


def test_one_that_raises_while_it_is_made_does_not_run(monkeypatch):
    def burning(self, render_mode=None):
        raise RuntimeError("the robot\nis on fire")

    monkeypatch.setattr(registered.Told, "__init__", burning)
    running = found(gym("Told"))["running"]
    assert running.needed and running.found == "RuntimeError: the robot is on fire"


class Broken(DiscWorld):
    """A world of somebody else's, that is a step from being whole."""

    def __init__(self, **changes):
        super().__init__(DiscConfig(length=5))
        self.changes = changes

    def describe(self):
        return {**super().describe(), **self.changes.get("described", {})}

    def build(self, *, images=True):
        return type("Changed", (Disc,), self.changes.get("methods", {}))(self.config)


def unseeded(self, *, seed=None, options=None):
    return Disc.reset(self, seed=None)


def starting_alike(self, *, seed=None, options=None):
    return Disc.reset(self, seed=0)


def without_an_image(self, *, seed=None, options=None):
    return {"pixels": np.zeros(3)}, {}


def of_floats(self, action):
    observation, *rest = Disc.step(self, action)
    return {"image": observation["image"] / 255.0}, *rest


def worthless(self, action):
    observation, _, *rest = Disc.step(self, action)
    return observation, float("nan"), *rest


def unmoved(self, action):
    return Disc.step(self, 0 * action)


@pytest.mark.parametrize(
    ("changes", "subject", "words"),
    [
        ({"methods": {"reset": unseeded}}, "seed", "other frames from action 0 on"),
        ({"methods": {"reset": without_an_image}}, "frames", "with an image, got the keys pixels"),
        ({"methods": {"step": of_floats}}, "frames", "got float64 (64, 64, 3) after 1 actions"),
        ({"methods": {"step": worthless}}, "frames", "expected a finite reward, got nan after 1 actions"),
        ({"methods": {"step": unmoved}}, "effect", "the same 6 frames for all actions"),
        ({"described": {"action_names": ["right"]}}, "description", "1 action_names for Box"),
    ],
)
def test_a_world_of_your_own_is_told_what_it_lacks(changes, subject, words):
    findings = found(Broken(**changes))
    assert findings[subject].needed and words in findings[subject].found


def test_a_start_that_no_seed_changes_is_a_note():
    starts = found(Broken(methods={"reset": starting_alike}))["starts"]
    assert starts.found == "the same for 4 seeds" and starts.fix and not starts.needed


def test_a_description_without_its_identity_is_lacking():
    @dataclass(frozen=True)
    class Nameless(DiscConfig):
        name: str = "nameless"

    class World(DiscWorld):
        def describe(self):
            return {"action_names": ["right", "down"]}

    assert "no name, image_size, step_seconds" in found(World(Nameless()))["description"].found
