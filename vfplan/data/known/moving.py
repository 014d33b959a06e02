"""Shapes that step in one of eight directions: a future of eight distinct frames whose probabilities are known.

`movement` is the Stochastic Movement data of Kumar et al. (VideoFlow, ICLR 2020), after Babaeizadeh et al. (2018): one
shape starts at the centre and keeps a constant, random velocity. It departs from the original in two ways:

* The original was drawn by Agg; here the covered share of each pixel is counted (`shapes.py`).
* The original draws sizes from U(0.5, 1.5) units; here they are 64 values spread evenly over that interval, and every
  frame shows which. Otherwise the second frame would tell something about the size that the first cannot show, and its
  entropy would not be 3 bits.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vfplan.checks import require_ranges, within
from vfplan.data.episode import Episode
from vfplan.data.known.base import check_step
from vfplan.data.known.shapes import CANVAS, COLOURS, KINDS, SIZE_UNITS, Shape, draw

Floats = NDArray[np.float64]

DIRECTIONS = np.array([(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)])
"""Steps (dx, dy) in units, x to the right and y up, in the order of all outcomes and probabilities."""

SIZES = 64
LEAST_IMAGE_SIZE = 20  # pixels; in smaller images neighbouring sizes cover the same sub-samples


class Scene(NamedTuple):
    """What an episode draws at random: its shape, its actions (T, A), and the index of each step's direction (T,)."""

    shape: Shape
    actions: NDArray[np.float32]
    taken: NDArray[np.int64]

    @property
    def centres(self) -> NDArray[np.int64]:
        """Where the shape is in each frame, (T+1, 2) in units."""
        return CANVAS // 2 + np.concatenate([np.zeros((1, 2), np.int64), DIRECTIONS[self.taken].cumsum(axis=0)])


@dataclass(frozen=True)
class MovingShape(ABC):
    """One of 3 shapes in 6 colours and 64 sizes, at the centre of the first frame, one unit per axis and step.

    Attributes:
        image_size: pixels per side; multiples of 10 make every step a whole number of pixels.
    """

    image_size: int = within(64, LEAST_IMAGE_SIZE, 1024)

    length: ClassVar[int]
    policy: ClassVar[str]

    def __post_init__(self) -> None:
        require_ranges(self)

    @abstractmethod
    def probabilities(self, seed: int, index: int, step: int) -> Floats:
        """Return the probability (8,) of each of `outcomes`, given all frames up to `step` and the action."""

    @abstractmethod
    def entropy_bits(self, step: int) -> float:
        """Return the entropy of the next frame in bits, as `probabilities` have it."""

    @abstractmethod
    def _moves(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Draw the actions (T, A) and the index of each step's direction (T,)."""

    def episode(self, seed: int, index: int) -> Episode:
        """Return episode `index` of data set `seed`; it has neither hand nor objects."""
        scene, steps = self._scene(seed, index), self.length + 1
        return Episode(
            frames=draw(scene.shape, scene.centres, self.image_size),
            actions=scene.actions,
            hand=np.zeros((steps, 0), np.float32),
            object_xy=np.zeros((steps, 0, 2), np.float32),
            policy=self.policy,
        )

    def outcomes(self, seed: int, index: int, step: int) -> NDArray[np.uint8]:
        """Return the distinct frames (8, Y, X, 3) to which each of DIRECTIONS would lead from frame `step`."""
        check_step(step, self.length)
        scene = self._scene(seed, index)
        return draw(scene.shape, scene.centres[step] + DIRECTIONS, self.image_size)

    def outcome_index(self, seed: int, index: int, step: int) -> int:
        """Return which of `outcomes` is frame step + 1 of the episode."""
        check_step(step, self.length)
        return int(self._scene(seed, index).taken[step])

    def information_bits(self, seed: int, index: int, step: int) -> float:
        """Return -log2 of the probability of the outcome that happened."""
        return -math.log2(self.probabilities(seed, index, step)[self.outcome_index(seed, index, step)])

    def _scene(self, seed: int, index: int) -> Scene:
        rng = np.random.default_rng([seed, index])
        kind, colour, size = KINDS[rng.integers(len(KINDS))], COLOURS[rng.integers(len(COLOURS))], rng.integers(SIZES)
        # The midpoints of SIZES equal parts of [0.5, 1.5] units.
        shape = Shape(kind, colour, SIZE_UNITS // 2 + (2 * int(size) + 1) * SIZE_UNITS // (2 * SIZES))
        return Scene(shape, *self._moves(rng))


@dataclass(frozen=True)
class Movement(MovingShape):
    """Stochastic Movement: the first step has one of 8 directions, equally likely, and all others repeat it."""

    name: str = "movement"

    length: ClassVar[int] = 4
    policy: ClassVar[str] = "none"

    def probabilities(self, seed: int, index: int, step: int) -> Floats:
        """Return 1/8 for each outcome (8,) of step 0; later, 1 for the direction of the frames before."""
        taken = self.outcome_index(seed, index, step)
        return np.full(8, 1 / 8) if step == 0 else np.eye(8)[taken]

    def entropy_bits(self, step: int) -> float:
        """Return 3 at step 0, and 0 after it."""
        check_step(step, self.length)
        return 3.0 if step == 0 else 0.0

    def _moves(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        return np.zeros((self.length, 0), np.float32), np.full(self.length, rng.integers(8))


@dataclass(frozen=True)
class Slip(MovingShape):
    """The action chooses the direction of each step, but with probability `slip` one of the other seven happens.

    Actions (T, 2) are the direction (dx, dy), chosen uniformly. Steps are independent; three of them cannot leave the
    canvas.

    Attributes:
        slip: from 0 (deterministic) to 1; at 7/8 the actions tell nothing.
    """

    name: str = "slip"
    slip: float = within(0.2, 0, 1)

    length: ClassVar[int] = 3
    policy: ClassVar[str] = "uniform"

    def __post_init__(self) -> None:
        super().__post_init__()

    def probabilities(self, seed: int, index: int, step: int) -> Floats:
        """Return 1 - slip for the outcome (8,) in the direction of the action, slip / 7 for each of the others."""
        check_step(step, self.length)
        chosen = (self._scene(seed, index).actions[step] == DIRECTIONS).all(axis=1)
        return np.where(chosen, 1 - self.slip, self.slip / 7)

    def entropy_bits(self, step: int) -> float:
        """Return h2(slip) + slip * log2(7), h2 the entropy of a biased coin; the same at every step."""
        check_step(step, self.length)
        coin = -sum(p * math.log2(p) for p in (self.slip, 1 - self.slip) if p > 0)
        return coin + self.slip * math.log2(7)

    def _moves(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        chosen, other = rng.integers(8, size=self.length), rng.integers(7, size=self.length)
        other += other >= chosen
        taken = np.where(rng.random(self.length) < self.slip, other, chosen)
        return DIRECTIONS[chosen].astype(np.float32), taken
