"""What the objects look like: shapes that stand flat, each a cylinder or one or two upright boxes.

No sphere or ellipsoid: what rolls or rocks goes where not even its position and velocity say.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Half sizes and centres (half x, half y, x, y) of the boxes of a shape of half size 1, seen from above.
BARS: dict[str, tuple[tuple[float, float, float, float], ...]] = {
    "box": ((1.0, 1.0, 0.0, 0.0),),
    "tee": ((1.1, 0.4, 0.0, 0.6), (0.4, 0.6, 0.0, -0.4)),
    "ell": ((0.38, 0.95, -0.57, 0.0), (0.57, 0.38, 0.38, -0.57)),
    "cross": ((1.2, 0.4, 0.0, 0.0), (0.4, 1.2, 0.0, 0.0)),
}
SHAPES = ("box", "cylinder", *[name for name in BARS if name != "box"])


@dataclass(frozen=True)
class Bar:
    """An upright box of an object: half sizes x, y, centre and turn about the vertical, in the object's frame."""

    half: tuple[float, float]
    centre: tuple[float, float]
    yaw: float


@dataclass(frozen=True)
class Compound:
    """Boxes placed so that the centre of mass is the origin and the principal axes are x, y and z."""

    bars: tuple[Bar, ...]
    mass: float
    inertia: tuple[float, float, float]


def compound(shape: str, half_x: float, half_y: float, half_z: float, density: float) -> Compound:
    """Return the boxes of a shape with these half sizes (m), its mass (kg) and principal moments of inertia (kg m2).

    MuJoCo could work these out, but would turn the inertial frame, so that the layout of a state in memory would
    depend on the shape.
    """
    scale = np.array([half_x, half_y])
    bars = [(np.array(bar[:2]) * scale, np.array(bar[2:]) * scale) for bar in BARS[shape]]
    pieces = [(1.0, *bar) for bar in bars]
    if shape == "cross":  # its middle counts once
        pieces.append((-1.0, np.minimum(*[half for half, _ in bars]), np.zeros(2)))
    mass, centre = 0.0, np.zeros(2)
    for sign, half, at in pieces:
        mass += sign * 8 * density * half_z * float(half.prod())
        centre += sign * 8 * density * half_z * half.prod() * at
    centre /= mass
    second = np.zeros((2, 2))  # of mass, about the centre
    for sign, half, at in pieces:
        part = sign * 8 * density * half_z * half.prod()
        second += part * (np.diag(half**2) / 3 + np.outer(at - centre, at - centre))
    yaw = 0.5 * float(np.arctan2(2 * second[0, 1], second[0, 0] - second[1, 1])) if abs(second[0, 1]) > 1e-12 else 0.0
    turn = np.array([[np.cos(yaw), np.sin(yaw)], [-np.sin(yaw), np.cos(yaw)]])
    along_x, along_y = np.diag(turn @ second @ turn.T)
    along_z = mass * half_z**2 / 3
    return Compound(
        bars=tuple(Bar(_pair(half), _pair(turn @ (at - centre)), -yaw) for half, at in bars),
        mass=mass,
        inertia=(float(along_y + along_z), float(along_x + along_z), float(along_x + along_y)),
    )


def _pair(values: Floats) -> tuple[float, float]:
    return float(values[0]), float(values[1])
