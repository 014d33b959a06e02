"""Environments for tests, registered by importing this module: a dot on a plane, and variants that lack a thing."""

from typing import ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces


class Dot(gymnasium.Env):
    """A red dot on white, 96 x 80 pixels, that goes by up to 8 pixels per action in [0, 4]^2; the middle is rest."""

    metadata: ClassVar = {"render_modes": ["rgb_array"], "render_fps": 5}
    shape = (80, 96)

    def __init__(self, render_mode=None, *, radius=9, end=None):
        self.render_mode, self.radius, self.end = render_mode, radius, end
        self.observation_space = spaces.Box(-np.inf, np.inf, (2,), np.float64)
        self.action_space = spaces.Box(0.0, 4.0, (2,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place, self.steps, self.given = self.np_random.uniform(0.2, 0.8, 2) * self.shape, 0, []
        return self._seen(), {}

    def step(self, action):
        self.given.append(action)
        self.place = np.clip(self.place + 4.0 * (np.asarray(action) - 2.0), 0, self.shape)
        self.steps += 1
        return self._seen(), float(self.place[0]), self.steps == self.end, False, {}

    def _seen(self):
        return self.place.copy()

    def render(self):
        rows, columns = np.mgrid[: self.shape[0], : self.shape[1]]
        inside = np.hypot(rows - self.place[0], columns - self.place[1]) < self.radius
        return np.where(inside[..., None], [220, 20, 20], [255, 255, 255]).astype(np.uint8)


class Pixels(Dot):
    """It shows itself in its observations and cannot be rendered."""

    metadata: ClassVar = {"render_modes": []}

    def __init__(self, **options):
        super().__init__(**options)
        pixels = spaces.Box(0, 255, (*self.shape, 3), np.uint8)
        self.observation_space = spaces.Dict({"speed": spaces.Box(0, 1, (1,)), "pixels": pixels})

    def _seen(self):
        return {"speed": np.zeros(1, np.float32), "pixels": Dot.render(self)}

    def render(self):
        raise AssertionError("pixels are in the observations")


class Blind(Dot):
    metadata: ClassVar = {"render_modes": ["human"]}

    def __init__(self):
        super().__init__(None)
        self.action_space = spaces.Discrete(3)


class Unbounded(Dot):
    def __init__(self, render_mode=None):
        super().__init__(render_mode)
        self.action_space = spaces.Box(-np.inf, np.inf, (2,), np.float32)


class Unseeded(Dot):
    def reset(self, *, seed=None, options=None):
        return super().reset(seed=None)


class Undrawn(Dot):
    def render(self):
        raise RuntimeError("no\ndisplay")


class Told(Dot):
    """It tells where the dot is."""

    def reset(self, **given):
        observation, _ = super().reset(**given)
        return observation, {"object_xy": self.place[None].copy()}

    def step(self, action):
        observation, *rest, _ = super().step(action)
        return observation, *rest, {"object_xy": self.place[None].copy()}


for _kind in (Dot, Pixels, Blind, Unbounded, Unseeded, Undrawn, Told):
    gymnasium.register(f"vfplan-test/{_kind.__name__}-v0", entry_point=_kind)
gymnasium.register("vfplan-test/Short-v0", entry_point=Dot, max_episode_steps=10)
gymnasium.register("vfplan-test/Still-v0", entry_point=Dot, kwargs={"radius": 0})
gymnasium.register("vfplan-test/Ending-v0", entry_point=Dot, kwargs={"end": 3})
