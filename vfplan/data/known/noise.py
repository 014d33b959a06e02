"""A scene that stands still, seen by a noisy sensor: every frame has the same, exactly known entropy.

The noise of each sub-pixel is an independent discrete Gaussian, P(k) proportional to exp(-k^2 / (2 std^2)), whose
probabilities are rounded to multiples of 2^-16. So 16 random bits and a table draw from it exactly, and the tails end
where they round to zero: no pixel is ever clipped, and its entropy is that of the noise.
"""

import math
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from vfplan.checks import require_ranges, within
from vfplan.data.episode import Episode
from vfplan.data.known.base import check_step

DRAWS = 1 << 16  # equally likely values of 16 random bits
DARKEST, BRIGHTEST = 64, 192  # of the scene, in levels
GRID = 16  # squares are placed on a grid of so many cells per axis
# (row, column, cells per side, colour).
SQUARES = (
    (2, 3, 3, (192, 72, 72)),
    (4, 10, 4, (72, 176, 80)),
    (10, 2, 4, (80, 96, 192)),
    (11, 9, 3, (184, 168, 64)),
)


@dataclass(frozen=True)
class Noise:
    """Sensor noise on a fixed scene, the same in all episodes. No actions, no hand, no objects.

    Attributes:
        image_size: pixels per side.
        noise_std: of the Gaussian, in levels of 0 to 255; at most 15, so that no tail is longer than 63 levels.
        length: steps per episode, T, which has T + 1 frames.
    """

    name: str = "noise"
    image_size: int = within(64, GRID, 1024)
    noise_std: float = within(4.0, 0.5, 15)
    length: int = within(4, 1, 100_000)

    policy: ClassVar[str] = "none"

    def __post_init__(self) -> None:
        require_ranges(self)

    def scene(self) -> NDArray[np.uint8]:
        """Return the frame (Y, X, 3) without noise: coloured squares on a gradient, between DARKEST and BRIGHTEST."""
        size, span = self.image_size, 96
        rise = DARKEST + 16 + np.arange(size) * span // (size - 1)
        scene = np.empty((size, size, 3), np.uint8)
        scene[..., 0], scene[..., 1], scene[..., 2] = rise, rise[:, None], rise[::-1]
        for row, column, cells, colour in SQUARES:
            top, left, side = (cell * size // GRID for cell in (row, column, cells))
            scene[top : top + side, left : left + side] = colour
        return scene

    def probabilities(self) -> NDArray[np.float64]:
        """Return the mass (2R + 1,) of the noise at -R to R levels; it sums to 1 exactly, both ends are above 0."""
        return _counts(self.noise_std) / DRAWS

    def episode(self, seed: int, index: int) -> Episode:
        """Return episode `index` of data set `seed`."""
        steps = self.length + 1
        rng = np.random.default_rng([seed, index])
        bits = rng.integers(DRAWS, size=(steps, self.image_size, self.image_size, 3), dtype=np.uint16)
        return Episode(
            frames=(self.scene() + _table(self.noise_std)[bits]).astype(np.uint8),
            actions=np.zeros((self.length, 0), np.float32),
            hand=np.zeros((steps, 0), np.float32),
            object_xy=np.zeros((steps, 0, 2), np.float32),
            policy=self.policy,
        )

    def entropy_bits(self, step: int) -> float:
        """Return the entropy of a frame in bits: that of one sub-pixel times their number; the same at every step."""
        check_step(step, self.length)
        mass = self.probabilities()
        return 3 * self.image_size**2 * -math.fsum(mass * np.log2(mass))

    def information_bits(self, seed: int, index: int, step: int) -> float:
        """Return -log2 of the probability of frame step + 1, the sum over its sub-pixels."""
        check_step(step, self.length)
        noise = self.episode(seed, index).frames[step + 1].astype(np.int64) - self.scene()
        bits = -np.log2(self.probabilities())
        return math.fsum(bits[noise.ravel() + len(bits) // 2])


@cache
def _counts(std: float) -> NDArray[np.int64]:
    """How many of the DRAWS equally likely values stand for each level from -R to R."""
    levels = np.arange(-DARKEST + 1, DARKEST)
    weights = np.exp(-0.5 * (levels / std) ** 2)
    counts = np.rint(DRAWS * weights / weights.sum()).astype(np.int64)
    counts[DARKEST - 1] += DRAWS - counts.sum()  # level 0 takes what rounding left over, so that -k and k stay alike
    return counts[counts > 0]


@cache
def _table(std: float) -> NDArray[np.int16]:
    """The noise that each of the DRAWS values stands for, (DRAWS,)."""
    counts = _counts(std)
    radius = len(counts) // 2
    return np.repeat(np.arange(-radius, radius + 1, dtype=np.int16), counts)
