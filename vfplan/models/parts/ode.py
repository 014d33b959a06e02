"""Ordinary differential equations with a fixed number of steps, the same for every row.

Steps that adapt to the error would be those of the whole batch, so that rows depended on each other.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor


def integrate(velocity: Callable[[Tensor], Tensor], z: Tensor, time: float, steps: int) -> Tensor:
    """Where z (B, ...) is after a time, which may be negative, if it moves with a velocity (B, ...) that it decides.

    The classical method of Runge and Kutta, of fourth order: four evaluations for each of the `steps`.

    Raises:
        ValueError: for less than one step.
    """
    if steps < 1:
        raise ValueError(f"steps must be 1 or more; got {steps}")
    span = time / steps
    for _ in range(steps):
        first = velocity(z)
        second = velocity(z + span / 2 * first)
        third = velocity(z + span / 2 * second)
        fourth = velocity(z + span * third)
        z = z + span / 6 * (first + 2 * second + 2 * third + fourth)
    return z
