"""A Gymnasium environment whose episodes end after three to eight actions; until then every frame differs."""

from typing import ClassVar

import gymnasium
import numpy as np


class Falling(gymnasium.Env):
    """A dot that falls, faster with larger actions, until it reaches the ground."""

    metadata: ClassVar = {"render_modes": ["rgb_array"], "render_fps": 10}

    def __init__(self, render_mode=None):
        self.render_mode = render_mode
        self.action_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)
        self.observation_space = gymnasium.spaces.Box(0, 255, (32, 32, 3), np.uint8)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.height, self.column = 28.0, int(self.np_random.integers(4, 28))
        return self.drawn(), {}

    def step(self, action):
        self.height -= 6.0 + 2.0 * float(action[0])
        return self.drawn(), 0.0, self.height <= 0, False, {}

    def drawn(self):
        image = np.zeros((32, 32, 3), np.uint8)
        row = 31 - int(max(self.height, 0))
        image[max(row - 2, 0) : row + 1, self.column - 2 : self.column + 2] = 255 if self.height > 0 else 100
        return image


if "vfplan-test/Falling-v0" not in gymnasium.registry:
    gymnasium.register("vfplan-test/Falling-v0", entry_point=Falling)
