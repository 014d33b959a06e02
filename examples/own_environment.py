"""An environment of your own, all of it: a disc on a grey table, that goes where the action says.

python -m examples.own_environment num_tasks=3
"""

import hashlib
import sys
from dataclasses import dataclass, replace

import gymnasium
import numpy as np

import envs
from envs.base import SPLITS, EnvConfig, Outcome, Share, Summary, Tasks, World


@dataclass(frozen=True)
class DiscConfig(EnvConfig):  # every field is a key of the command line, as in env.speed=0.2
    name: str = "disc"
    speed: float = 0.1


class Disc(gymnasium.Env):  # actions are (A,) in [-1, 1]; observations have `image` (Y, X, C) uint8
    def __init__(self, config):
        self.config, self.at = config, np.zeros(2)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32)

    def reset(self, *, seed=None, options=None):
        self.at = np.random.default_rng(seed).uniform(-0.8, 0.8, 2)
        return {"image": draw(self.config, self.at)}, {"disc": self.at}

    def step(self, action):
        self.at = np.clip(self.at + self.config.speed * np.asarray(action), -0.9, 0.9)
        return {"image": draw(self.config, self.at)}, 0.0, False, False, {"disc": self.at}


def draw(config, at):
    y, x = np.meshgrid(*2 * [np.linspace(-1, 1, config.image_size)], indexing="ij")
    inside = (x - at[0]) ** 2 + (y - at[1]) ** 2 < 0.15**2
    return np.where(inside[..., None], [220, 60, 40], [128, 128, 128]).astype(np.uint8)


@dataclass(frozen=True)
class DiscOutcome(Outcome):  # what became of one task: its fields are a row of results.json
    distance: float

    def line(self):
        return f"{self.distance:.2f} from the goal"


@dataclass(frozen=True)
class DiscTasks(Tasks[DiscOutcome]):  # bring N discs to the places `goal`
    config: DiscConfig
    goal: np.ndarray  # (N, 2)

    @property
    def sha256(self):
        return hashlib.sha256(repr(self.config).encode() + self.goal.tobytes()).hexdigest()

    def __len__(self):
        return len(self.goal)

    def select(self, tasks):
        return replace(self, goal=self.goal[tasks.start : tasks.stop])

    def start(self):
        made = [Disc(self.config) for _ in self.goal]
        return made, [env.reset(seed=0)[0] for env in made]

    def goals(self, *, hand):
        return np.stack([draw(self.config, at) for at in self.goal])

    def outcomes(self, frames, infos):
        ends = np.stack([steps[-1]["disc"] for steps in infos])
        return [DiscOutcome(float(distance)) for distance in np.hypot(*(ends - self.goal).T)]

    def summary(self, outcomes):
        near = Share("near", "within 0.2", [outcome.distance < 0.2 for outcome in outcomes])
        return Summary([near], {}, {})


class DiscWorld(World[DiscConfig]):  # what vfplan asks for all of it
    def describe(self):  # what data sets and checkpoints remember of it
        about = {"name": "disc", "image_size": self.config.image_size, "speed": self.config.speed}
        return about | {"action_names": ["right", "down"], "step_seconds": 0.1}

    def build(self, *, images=True):
        return Disc(self.config)

    def tasks(self, split, count):  # drawn from a seed that no training data share
        size, seed = SPLITS[split]
        return DiscTasks(self.config, np.random.default_rng(seed).uniform(-0.8, 0.8, (count or size, 2)))


envs.register(DiscConfig(), DiscWorld)

if __name__ == "__main__":
    from vfplan.plan import main

    main(["env=disc", "planner=random", *sys.argv[1:]])
