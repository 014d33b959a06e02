"""Goals to collect data for: one object shown in another place of the bin. Teleported, so not all can be reached.

They decide only what a planner tries while data are collected; what a task asks for is in `tasks.py`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envs import scene
from envs.push import PushEnv
from envs.ray import place_object

DISTANCE = (0.08, 0.20)  # m between where an object is and where it shall go
APART = 2.2  # object radii between two centres, as at the start of an episode
DRAWS = 256


@dataclass(frozen=True)
class Goal:
    """Where one object shall go."""

    image: NDArray[np.uint8]
    """(Y, X, C), without the hand."""
    target: int
    xy: NDArray[np.float64]
    """(2,) m."""

    def reached(self, object_xy: NDArray[np.float64], within: float) -> bool:
        """Return whether, of objects at (O, 2) m, the target is within so many metres of its place."""
        return bool(np.hypot(*(object_xy[self.target] - self.xy)) <= within)


def draw(shell: PushEnv, state: NDArray[np.float64], rng: np.random.Generator) -> Goal:
    """Draw a goal for a state (S,); `shell` is an environment to draw the picture in, whose own state is lost."""
    shell.set_state(state)
    centres = shell.object_xy
    target = int(rng.integers(len(centres)))
    xy = place(shell.config, centres, target, rng)
    shell.set_state(place_object(shell.config, state, target, xy))
    return Goal(shell.render(hand_visible=False), target, xy)


def place(
    config: scene.PushConfig, centres: NDArray[np.float64], target: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw a place in the bin, as far from where the target is as asked and apart from the others (O, 2)."""
    limit = scene.BIN_HALF - config.object_radius - 0.02
    places = rng.uniform(-limit, limit, (DRAWS, 2))
    way = np.hypot(*(places - centres[target]).T)
    fits = (way >= DISTANCE[0]) & (way <= DISTANCE[1])
    others = np.delete(centres, target, axis=0)
    gaps = np.hypot(*(places[:, None] - others).transpose(2, 0, 1)).min(axis=1, initial=1.0)
    # In a crowd nothing may fit: then the place with the most room is as good as any.
    good = np.flatnonzero(fits & (gaps > APART * config.object_radius))
    return places[good[0] if len(good) else np.where(fits, gaps, 0.0).argmax()]
