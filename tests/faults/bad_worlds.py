"""Gymnasium environments that misbehave after six actions, registered where this module is imported."""

import sys
from typing import ClassVar

import gymnasium
import numpy as np

from envs.gym_env import GymConfig

WHEN = 6


class Bad(gymnasium.Env):
    """A dot that moves, and what goes wrong with it."""

    metadata: ClassVar = {"render_modes": ["rgb_array"], "render_fps": 10}
    fault = ""

    def __init__(self, render_mode=None):
        self.render_mode = render_mode
        self.action_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
        self.observation_space = gymnasium.spaces.Box(0, 255, (32, 32, 3), np.uint8)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.actions, self.place = 0, self.np_random.uniform(-1, 1, 2)
        return self.drawn(), {}

    def step(self, action):
        assert self.action_space.contains(np.asarray(action, np.float32))
        self.actions, self.place = self.actions + 1, self.place + 0.2 * action
        image, reward = self.drawn(), 0.0
        if self.actions >= WHEN:
            image, reward = self.gone_wrong(image)
        return image, reward, False, False, {}

    def drawn(self):
        image = np.zeros((32, 32, 3), np.uint8)
        column, row = np.clip((self.place + 2) * 7, 0, 30).astype(int)
        image[row : row + 2, column : column + 2] = 255
        return image

    def gone_wrong(self, image):
        match self.fault:
            case "nan":
                return np.where(image > 0, np.nan, image), 0.0
            case "float":
                return (image / 255).astype(np.float32), 0.0
            case "shape":
                return image[:16], 0.0
            case "reward":
                return image, float("nan")
            case "raises":
                raise RuntimeError("the robot is on fire")
            case "exits":
                sys.exit(7)
        return image, 0.0


def register():
    for fault in ("good", "nan", "float", "shape", "reward", "raises", "exits"):
        name = f"vfplan-bad/{fault.capitalize()}-v0"
        if name not in gymnasium.registry:
            gymnasium.register(name, entry_point=type(f"Bad{fault}", (Bad,), {"fault": fault}))


def config(fault):
    return GymConfig(id=f"{__name__}:vfplan-bad/{fault}-v0", image_size=16)


register()
