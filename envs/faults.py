"""Things that go wrong during an episode: wrappers of a pushing environment that strike before a given action.

What a monitor is tested with. Everything is drawn from a seed; what a fault changes stays changed for the rest of the
episode, except for the blank frame, which is one.
"""

from abc import ABC
from dataclasses import replace
from typing import Any

import gymnasium
import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from envs import scene
from envs.push import PushEnv
from envs.scene import PushConfig
from envs.simulator import scene_model

Floats = NDArray[np.float64]

TELEPORT_DISTANCE = 0.06  # m, at least
FRICTION_FACTOR = 5.0
ACTUATOR_GAIN = 0.5
CAMERA_SHIFT = 0.022  # m: three pixels of a 64x64 image
FRICTION_COLUMN = 8  # of an object's scene parameters
MAX_DRAWS = 10_000


class Fault(gymnasium.Wrapper, ABC):
    """A pushing environment in which something goes wrong right before action `start`, counted from 0.

    Until then it is the environment it wraps. A subclass says what happens to the world (`strike`), to actions
    (`altered`) and to images (`seen`).
    """

    def __init__(self, env: PushEnv, start: int, seed: int) -> None:
        if start < 0:
            raise ValueError(f"start must not be negative; got {start}")
        super().__init__(env)
        self.start, self.seed = start, seed
        self._whole, self._count = env, 0
        self.rng = np.random.default_rng(seed)

    def reset(self, **options: Any) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Start an episode, as yet without the fault."""
        self.env, self._count, self.rng = self._whole, 0, np.random.default_rng(self.seed)
        return self.env.reset(**options)

    def step(self, action: ArrayLike) -> tuple[dict[str, NDArray[Any]], float, bool, bool, dict[str, Any]]:
        """Execute one action (4,)."""
        if self._count == self.start:
            self.strike()
        struck = self._count >= self.start
        taken = self.altered(np.asarray(action)) if struck else action
        observation, reward, terminated, truncated, info = self.env.step(taken)
        if struck:
            observation = {**observation, "image": self.seen(observation["image"])}
        self._count += 1
        return observation, reward, terminated, truncated, info

    def get_state(self) -> Floats:
        """The state (S,) of the environment as it is now."""
        return self.env.get_state()

    def strike(self) -> None:
        """Change the world."""

    def altered(self, action: NDArray[Any]) -> NDArray[Any]:
        """The action (4,) that reaches the actuators."""
        return action

    def seen(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The image (Y, X, 3) that the camera delivers."""
        return image

    def _continue(self, config: PushConfig, state: Floats) -> None:
        """Go on from `state` in an environment of another configuration."""
        self.env = PushEnv(config)
        self.env.reset(seed=int(self.rng.integers(2**31)), options={"state": state})


class Teleport(Fault):
    """An object is suddenly elsewhere: at least 6 cm away, touching nothing."""

    def strike(self) -> None:
        """Move a random object."""
        moved, state = int(self.rng.integers(self.env.num_objects)), self.env.get_state()
        places = self.env.object_xy
        others = np.delete(places, moved, axis=0)
        place = _free_place(self.env, others, self.rng, away_from=places[moved])
        first = 1 + _hand_joints(self.env.config) + 7 * moved
        state[first : first + 2] = place
        self.env.set_state(state)


class Friction(Fault):
    """Objects slide five times as hard."""

    def strike(self) -> None:
        """Multiply the friction of every object."""
        state = self.env.get_state()
        parameters = state[-self.env.config.num_parameters :].reshape(-1, scene.PARAMETERS_PER_OBJECT)
        parameters[:, FRICTION_COLUMN] *= FRICTION_FACTOR
        self.env.set_state(state)


class Actuator(Fault):
    """The hand goes half as far as it is told."""

    def altered(self, action: NDArray[Any]) -> NDArray[Any]:
        """Halve dx and dy."""
        return np.concatenate([ACTUATOR_GAIN * action[:2], action[2:]])


class CameraShift(Fault):
    """The camera is knocked aside by three pixels, in a random direction."""

    def strike(self) -> None:
        """Move the camera and what it looks at by the same amount."""
        config, angle = self.env.config, self.rng.uniform(-np.pi, np.pi)
        offset = CAMERA_SHIFT * np.array([np.cos(angle), np.sin(angle), 0.0])
        position, target = (tuple(np.add(p, offset).tolist()) for p in (config.camera.position, config.camera.target))
        self._continue(
            replace(config, camera=replace(config.camera, position=position, target=target)), self.env.get_state()
        )


class SecondObject(Fault):
    """An object of another colour stands in the bin that was not there before; it can be pushed like any other."""

    def strike(self) -> None:
        """Add an object at a free place, as the last one."""
        config, state = self.env.config, self.env.get_state()
        more = replace(config, num_objects=config.num_objects + 1)
        row = scene.sample_parameters(config, self.rng)[: scene.PARAMETERS_PER_OBJECT].copy()
        row[4:7] = np.roll(row[4:7], 1)  # red, green, blue: a third of the colour circle further
        parameters = np.concatenate([state[-config.num_parameters :], row])
        place = _free_place(self.env, self.env.object_xy, self.rng)
        self._continue(more, _with_object(config, more, state, parameters, place))


class BlankFrame(Fault):
    """The camera delivers one black image."""

    def seen(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Black right after the fault, then as before."""
        return np.zeros_like(image) if self._count == self.start else image


FAULTS: dict[str, type[Fault]] = {
    "teleport": Teleport,
    "friction": Friction,
    "actuator": Actuator,
    "camera": CameraShift,
    "object": SecondObject,
    "blank": BlankFrame,
}


def inject(env: PushEnv, name: str, *, start: int, seed: int) -> Fault:
    """The environment with the fault called `name` right before action `start`.

    Raises ValueError for an unknown name or a negative start.
    """
    if name not in FAULTS:
        raise ValueError(f"no fault {name!r}; there are {', '.join(FAULTS)}")
    return FAULTS[name](env, start, seed)


def _hand_joints(config: PushConfig) -> int:
    return 5 if config.hand == "gripper" else 2


def _free_place(env: PushEnv, others: Floats, rng: np.random.Generator, away_from: Floats | None = None) -> Floats:
    """A place (2,) in m for an object, touching neither walls, hand nor `others` (O, 2).

    In a crowded bin the one with the most room, if objects that lie straight do not touch there.
    """
    config = env.config
    limit = scene.BIN_HALF - config.object_radius - 0.01
    reach = scene.hand_radius(config) + config.object_radius + 0.01
    best, room = np.zeros(2), 2 * max(config.half_size)
    for _ in range(MAX_DRAWS):
        place = rng.uniform(-limit, limit, 2)
        gap = float(np.hypot(*(others - place).T).min(initial=1.0))
        moved = away_from is None or np.hypot(*(place - away_from)) >= TELEPORT_DISTANCE
        if moved and gap > room and np.hypot(*(env.hand_xyz[:2] - place)) > reach:
            best, room = place, gap
            if gap > 2.2 * config.object_radius:
                return place
    if room > 2 * max(config.half_size):
        return best
    raise ValueError("no room for another object in the bin; use fewer or smaller ones")


def _with_object(old: PushConfig, new: PushConfig, state: Floats, parameters: Floats, place: Floats) -> Floats:
    """The state of `new`, which has one object more, that continues `state` of `old`."""
    before = scene_model(old, state[-old.num_parameters :])
    after = scene_model(new, parameters)
    was, data = mujoco.MjData(before), mujoco.MjData(after)
    kind = int(mujoco.mjtState.mjSTATE_INTEGRATION)
    mujoco.mj_setState(before, was, state[: -old.num_parameters], kind)
    data.time = was.time
    data.qpos[: before.nq], data.qvel[: before.nv] = was.qpos, was.qvel
    data.qpos[before.nq : before.nq + 7] = *place, new.half_height, 1.0, 0.0, 0.0, 0.0
    integration = np.empty(mujoco.mj_stateSize(after, kind))
    mujoco.mj_getState(after, data, integration, kind)
    return np.concatenate([integration, parameters])
