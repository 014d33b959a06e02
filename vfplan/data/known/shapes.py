"""One coloured shape on a black canvas, drawn in integer arithmetic: the same pixels on every machine.

The canvas is 10 x 10 units, x to the right and y up, whatever the size of the image. A pixel is the colour times the
share of its SUB x SUB sub-samples that the shape covers, rounded. They are counted a row of sub-samples at a time: the
shape covers one run of a row, so that only the two ends of the run are computed.

Lengths are in ticks, in which canvas, sizes and sub-samples are all whole numbers.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

CANVAS = 10  # units
KINDS: tuple[Literal["circle", "square", "triangle"], ...] = ("circle", "square", "triangle")
# b, g, r, c, m and y of matplotlib.
COLOURS = ((0, 0, 255), (0, 128, 0), (255, 0, 0), (0, 191, 191), (191, 0, 191), (191, 191, 0))

SUB = 32  # sub-samples per pixel and axis
SIZE_UNITS = 128  # sizes are whole multiples of 1 / 128 unit
PITCH = 2 * CANVAS * SIZE_UNITS  # ticks from a sub-sample to the next
PIXEL = SUB * PITCH  # ticks


@dataclass(frozen=True)
class Shape:
    """What is drawn, wherever its centre (x, y) is.

    Attributes:
        kind: a circle of radius s; a square of half-side s; the equilateral triangle with the corners (x - s, y - s),
            (x + s, y - s) and (x, y - s + sqrt(3) s).
        colour: red, green and blue, 0 to 255.
        size: s in 1 / SIZE_UNITS units.
    """

    kind: Literal["circle", "square", "triangle"]
    colour: tuple[int, int, int]
    size: int


def draw(shape: Shape, centres: Ints, image_size: int) -> NDArray[np.uint8]:
    """Return frames (N, Y, X, 3) of the shape at centres (N, 2), whole units, cut off at the edges of the canvas."""
    frames = np.zeros((len(centres), image_size, image_size, 3), np.uint8)
    unit = PIXEL * image_size // CANVAS  # ticks
    size = unit // SIZE_UNITS * shape.size
    colour = np.array(shape.colour)
    for frame, (x, y) in zip(frames, centres.tolist(), strict=True):
        rows = _pixels((CANVAS - y) * unit, size, image_size)  # row 0 is the top
        columns = _pixels(x * unit, size, image_size)
        covered = _coverage(shape.kind, size, (x * unit, y * unit), rows, columns, image_size)
        frame[rows.start : rows.stop, columns.start : columns.stop] = (
            covered[..., None] * colour + SUB * SUB // 2
        ) // (SUB * SUB)
    return frames


def _pixels(centre: int, size: int, image_size: int) -> range:
    """The pixels that [centre - size, centre + size] touches."""
    return range(max(0, (centre - size) // PIXEL), min(image_size, -(-(centre + size) // PIXEL)))


def _coverage(kind: str, size: int, centre: tuple[int, int], rows: range, columns: range, image_size: int) -> Ints:
    """How many sub-samples of each of these pixels the shape covers, (rows, columns)."""
    ticks = np.arange(rows.start * SUB, rows.stop * SUB) * PITCH + PITCH // 2  # from the top edge downwards
    half = _half_width(kind, size, PIXEL * image_size - centre[1] - ticks)
    # The first sub-sample of the run, and the first after it; a negative half-width is an empty run.
    first = -((half - centre[0] + PITCH // 2) // PITCH)
    after = np.maximum((centre[0] + half - PITCH // 2) // PITCH + 1, first)
    left = np.arange(columns.start, columns.stop, dtype=np.int32) * SUB
    count = _up_to(after, left) - _up_to(first, left)
    return count.reshape(len(rows), SUB, len(columns)).sum(axis=1)


def _up_to(end: Ints, left: NDArray[np.int32]) -> NDArray[np.int32]:
    """How many of the SUB sub-samples from each of `left` on lie before `end`, (ends, lefts)."""
    return np.minimum(np.maximum(end.astype(np.int32)[:, None] - left, 0), SUB)


def _half_width(kind: str, size: int, height: Ints) -> Ints:
    """Half the width of the shape at these heights above its centre, rounded down; negative where it has none."""
    if kind == "circle":
        half = _root(np.maximum(size * size - height * height, 0))
    elif kind == "square":
        half = np.full_like(height, size)
    else:
        # The sides rise by sqrt(3): size - half >= above / sqrt(3), that is 3 (size - half)^2 >= above^2.
        above = height + size
        third = -(-above * above // 3)
        half = size - np.where(third > 0, _root(np.maximum(third - 1, 0)) + 1, 0)
    return np.where(np.abs(height) <= size, half, -1)


def _root(values: Ints) -> Ints:
    """The square root, rounded down; exact below 2^52, for IEEE roots are correctly rounded."""
    return np.sqrt(values.astype(np.float64)).astype(np.int64)
