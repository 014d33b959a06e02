"""What is around each place of an image: the image shifted by every step of a few places."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Literal

from torch import Tensor
from torch.nn import functional

Beyond = Literal["constant", "replicate"]
"""What is beyond the border: zeros, or the nearest value."""


def shifts(x: Tensor, radius: int, beyond: Beyond = "replicate") -> Iterator[Tensor]:
    """The values at each of the (2 radius + 1)^2 places around each place of x (..., c, y, x), row by row."""
    rows, columns = x.shape[-2:]
    padded = functional.pad(x.flatten(0, -4), (radius,) * 4, mode=beyond).unflatten(0, x.shape[:-3])
    for row, column in product(range(2 * radius + 1), repeat=2):
        yield padded[..., row : row + rows, column : column + columns]
