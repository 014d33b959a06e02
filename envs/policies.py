"""Policies that collect data. They may look at the objects' true positions; what is learned from the data may not.

A policy is called as policy(env, rng) -> action (4,) float32 after policy.reset(rng); rng is the episode's generator.
"""

import difflib
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.base import check_image
from envs.push import PushEnv
from envs.script import REACHED, Action, Scripted

Rng = np.random.Generator

NEAR_WALL = 0.11  # m from the middle of the bin
# How often a waypoint that would jam an object against a wall is drawn again. Otherwise 73 % of the episodes end with
# the object at a wall, and hardly any shows it being pushed away from one.
DRAWS = 3

PUSHING = 0.85  # share of the waypoint episodes with a gripper that stays down and closed
HOLD = 4.0  # mean number of actions for which noise leaves a switch as it is


class Policy(Protocol):
    """What collection needs of a policy."""

    @property
    def name(self) -> str:
        """What produced the current episode."""
        ...

    def reset(self, rng: Rng) -> None:
        """Forget the last episode."""

    def __call__(self, env: Any, rng: Rng) -> Action:
        """Return the next action (A,) in [-1, 1]."""
        ...


class Waypoints:
    """Visits random points, some 70 % of them near an object (sd 4 cm), with noise on every action.

    `near_object` is the share before points that would jam an object are drawn again. A gripper stays down and closed
    in most episodes, and in the others may lift or open at every new waypoint.
    """

    name = "waypoints"

    def __init__(self, near_object: float = 0.85, spread: float = 0.04, noise: float = 0.25) -> None:
        self.near_object, self.spread, self.noise = near_object, spread, noise
        self._goal: NDArray[np.float64] | None = None
        self._pushes: bool | None = None
        self._lift = self._close = -1.0

    def reset(self, rng: Rng) -> None:
        """Forget the current waypoint."""
        self._goal, self._pushes = None, None
        self._lift = self._close = -1.0

    def __call__(self, env: PushEnv, rng: Rng) -> Action:
        """Return a step towards the current waypoint."""
        hand = env.hand_xyz[:2]
        if self._pushes is None:
            # Asked of a gripper only: the episodes of the other scenes stay what they are.
            self._pushes = env.config.hand == "gripper" and rng.random() < PUSHING
        # Drop a waypoint now and then even if it was not reached: an object jammed against a wall may block the way.
        if self._goal is None or np.hypot(*(self._goal - hand)) < REACHED or rng.random() < 0.05:
            self._goal = self._draw(env, rng)
            for _ in range(DRAWS):
                if not _jams(hand, self._goal, env.object_xy):
                    break
                self._goal = self._draw(env, rng)
            self._lift, self._close = _switch(rng, 0.15), _switch(rng, 0.3)
        step = (self._goal - hand) / env.config.action_scale
        step = step / max(1.0, float(np.abs(step).max())) + rng.normal(0.0, self.noise, 2)
        return _action(step, *((-1.0, 1.0) if self._pushes else (self._lift, self._close)))

    def _draw(self, env: PushEnv, rng: Rng) -> NDArray[np.float64]:
        limit = env.config.hand_limit
        if rng.random() >= self.near_object:
            return rng.uniform(-limit, limit, 2)
        centre = env.object_xy[rng.integers(env.num_objects)]
        return np.clip(centre + rng.normal(0.0, self.spread, 2), -limit, limit)


class Noise:
    """Independent uniform actions in half of the episodes, slowly varying ones (AR(1), 0.8) in the others.

    What a gripper does by the sign alone, lifting and closing, is switched: drawn anew at every fourth action or so.
    """

    name = "noise"

    def __init__(self, memory: float = 0.8) -> None:
        self.memory = memory
        self._last: NDArray[np.float64] | None = None
        self._switches: NDArray[np.float64] | None = None

    def reset(self, rng: Rng) -> None:
        """Choose which of the two kinds of noise this episode gets."""
        self._last = rng.normal(0.0, 0.6, 4) if rng.random() < 0.5 else None
        self._switches = None

    def __call__(self, env: PushEnv, rng: Rng) -> Action:
        """Return the next noise value."""
        if self._last is None:
            values = rng.uniform(-1.0, 1.0, 4)
        else:
            fresh = rng.normal(0.0, 0.6, 4)
            values = self._last = self.memory * self._last + (1 - self.memory**2) ** 0.5 * fresh
        if env.config.hand == "gripper":
            kept = self._switches
            drawn = rng.choice([-1.0, 1.0], 2)
            values[2:] = self._switches = drawn if kept is None else np.where(rng.random(2) < 1 / HOLD, drawn, kept)
        return _action(values[:2], float(values[2]), float(values[3]))


class Bair:
    """The policy of the BAIR robot pushing data, as its collection code reads (Ebert et al. 2017, arXiv:1710.05268).

    dx, dy uniform, each action held for two frames; the gripper closes or lifts for a random number of actions.
    """

    name = "bair"
    hold = 2

    def reset(self, rng: Rng) -> None:
        """Start with a fresh action, gripper open and down."""
        self._frame = 0
        self._close_left = self._lift_left = 0
        self._step = np.zeros(2)

    def __call__(self, env: PushEnv, rng: Rng) -> Action:
        """Return the held action, drawing a new one every second frame."""
        if self._frame % self.hold == 0:
            # 7 cm per action of two frames there is 3.5 cm per frame here.
            self._step = rng.uniform(-1.0, 1.0, 2) * 0.035 / env.config.action_scale
            self._close_left = max(self._close_left - 1, int(rng.choice(5, p=[0.8, 0.05, 0.05, 0.05, 0.05])))
            self._lift_left = max(self._lift_left - 1, int(rng.choice(5, p=[0.9, 0.025, 0.025, 0.025, 0.025])))
        self._frame += 1
        return _action(self._step, 1.0 if self._lift_left else -1.0, 1.0 if self._close_left else -1.0)


class Smooth:
    """Coloured noise on every action component: AR(1), whose memory is drawn anew for each episode.

    It needs to know nothing but the number of components, so it can act in any environment.
    """

    name = "smooth"

    def __init__(self, memory: tuple[float, float] = (0.5, 0.95), spread: float = 0.7) -> None:
        self.range, self.spread = memory, spread

    def reset(self, rng: Rng) -> None:
        """Choose how slowly the actions of this episode change."""
        self._memory = rng.uniform(*self.range)
        self._last: NDArray[np.float64] | None = None

    def __call__(self, env: Any, rng: Rng) -> Action:
        """Return the next value of the noise."""
        fresh = rng.normal(0.0, self.spread, env.action_space.shape[0])
        kept = self._memory
        self._last = fresh if self._last is None else kept * self._last + (1 - kept**2) ** 0.5 * fresh
        return np.clip(self._last, -1.0, 1.0).astype(np.float32)


class Mixed:
    """The default recipe: waypoints in 85 % of the episodes, noise in the others."""

    def __init__(self, waypoints: float = 0.85) -> None:
        self.share = waypoints
        self._kinds = (Waypoints(), Noise())
        self._current: Policy = self._kinds[0]

    @property
    def name(self) -> str:
        """Name of the policy that drives this episode."""
        return self._current.name

    def reset(self, rng: Rng) -> None:
        """Choose this episode's policy."""
        self._current = self._kinds[0] if rng.random() < self.share else self._kinds[1]
        self._current.reset(rng)

    def __call__(self, env: PushEnv, rng: Rng) -> Action:
        """Return the chosen policy's action."""
        return self._current(env, rng)


class Held:
    """Another policy, with some components of its actions held at a value: {place in an action: value in [-1, 1]}."""

    def __init__(self, policy: Policy, hold: Mapping[int, float]) -> None:
        self._policy, self._hold = policy, dict(hold)

    @property
    def name(self) -> str:
        """Name of the policy that decides about the other components."""
        return self._policy.name

    def reset(self, rng: Rng) -> None:
        """Forget the last episode."""
        self._policy.reset(rng)

    def __call__(self, env: Any, rng: Rng) -> Action:
        """Return the policy's action, held."""
        action = self._policy(env, rng).copy()
        for place, value in self._hold.items():
            action[place] = value
        return action


POLICIES: dict[str, Callable[[], Policy]] = {
    "mixed": Mixed,
    "waypoints": Waypoints,
    "noise": Noise,
    "scripted": Scripted,
    "bair": Bair,
    "smooth": Smooth,
}
NAMES = tuple(POLICIES)


def make(name: str) -> Policy:
    """Return a new policy by name."""
    if name not in POLICIES:
        near = difflib.get_close_matches(name, NAMES, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise ValueError(f"no policy {name!r}; there are {', '.join(NAMES)}{hint}")
    return POLICIES[name]()


def run_episode(
    env: gymnasium.Env[Any, Any], policy: Policy, seed: int, index: int, length: int = 30
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], NDArray[np.float32]]:
    """Run episode `index` of data set `seed`; it depends on nothing else, so not on who runs it.

    Returns T+1 observations, as many infos, and the actions (T, A) between them; T is `length`, or less where the
    environment ends the episode before.
    """
    rng = np.random.default_rng([seed, index])
    observation, info = env.reset(seed=int(rng.integers(2**63)))
    policy.reset(rng)
    observations, infos, actions = [observation], [info], []
    for _ in range(length):
        actions.append(policy(env, rng))
        observation, _, terminated, truncated, info = env.step(actions[-1])
        observations.append(observation)
        infos.append(info)
        if terminated or truncated:
            break
    return observations, infos, np.stack(actions)


def rollout_episode(
    env: gymnasium.Env[Any, Any], policy: Policy, seed: int, index: int, length: int = 30
) -> dict[str, Any]:
    """Run episode `index` of data set `seed` as `run_episode` does.

    Returns frames (T+1, Y, X, 3) uint8, actions (T, A), hand (T+1, 3) and object_xy (T+1, O, 2) float32 in m, and the
    name of the policy. Without a hand, hand is (T+1, 0); without known objects, O is 0.

    Raises:
        WrongObservationError: for images of another type or shape than the first.
    """
    observations, infos, actions = run_episode(env, policy, seed, index, length)
    for step, observation in enumerate(observations):
        check_image(observation["image"], np.shape(observations[0]["image"]), f"after {step} actions")
    nowhere, none = np.zeros(0), np.zeros((0, 2))
    return {
        "frames": np.stack([observation["image"] for observation in observations]),
        "actions": actions,
        "hand": np.stack([observation.get("hand", nowhere) for observation in observations]).astype(np.float32),
        "object_xy": np.stack([info.get("object_xy", none) for info in infos]).astype(np.float32),
        "policy": policy.name,
    }


def _jams(hand: NDArray[np.float64], goal: NDArray[np.float64], object_xy: NDArray[np.float64]) -> bool:
    """Return whether the way from hand to goal (2,) pushes an object that is near a wall further against it."""
    way = goal - hand
    along = np.clip(((object_xy - hand) @ way) / max(float(way @ way), 1e-12), 0.0, 1.0)
    met = np.hypot(*(hand + along[:, None] * way - object_xy).T) < 0.05
    outwards = (np.abs(object_xy) > NEAR_WALL) & (np.sign(object_xy) * way > 0.3 * np.hypot(*way))
    return bool((met & outwards.any(axis=1)).any())


def _switch(rng: Rng, probability: float) -> float:
    return 1.0 if rng.random() < probability else -1.0


def _action(step: NDArray[np.float64], lift: float, close: float) -> Action:
    return np.clip(np.array([step[0], step[1], lift, close]), -1.0, 1.0).astype(np.float32)
