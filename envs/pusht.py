"""How well the block of Push-T (gym-pusht; Chi et al. 2023, arXiv:2303.04137) is in its place. No simulation here.

Poses are (x, y, angle), in pixels of the 512 x 512 arena and radians, as gym-pusht's info["block_pose"].
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

# The bars of the T in the block's own frame: (least x, least y, largest x, largest y), pixels.
BARS = ((-60.0, 0.0, 60.0, 30.0), (-15.0, 30.0, 15.0, 120.0))
MAX_PX, MAX_DEGREES = 20.0, 20.0  # success, as in DINO-WM (Zhou et al. 2024, arXiv:2411.04983)


def pose_error(pose: ArrayLike, goal: ArrayLike) -> dict[str, float]:
    """Return distance (px), angle (degrees, 0 to 180) and coverage (share of the goal pose's T) between two poses."""
    here, there = np.asarray(pose, dtype=np.float64), np.asarray(goal, dtype=np.float64)
    turn = (here[2] - there[2] + np.pi) % (2 * np.pi) - np.pi
    return {
        "block_px": float(np.hypot(*(here - there)[:2])),
        "block_degrees": float(np.degrees(abs(turn))),
        "coverage": coverage(here, there),
    }


def is_solved(error: dict[str, float]) -> bool:
    """Return whether an error of `pose_error` is success."""
    return error["block_px"] < MAX_PX and error["block_degrees"] < MAX_DEGREES


def coverage(pose: Floats, goal: Floats, step: float = 1.0) -> float:
    """Return which share of the T at `goal` the T at `pose` covers, from points `step` pixels apart."""
    points = np.concatenate([_points(bar, step) for bar in BARS])
    world = points @ _rotation(goal[2]).T + goal[:2]
    local = (world - pose[:2]) @ _rotation(pose[2])
    inside = [
        (local >= (left, near)).all(axis=1) & (local <= (right, far)).all(axis=1) for left, near, right, far in BARS
    ]
    return float(np.any(inside, axis=0).mean())


def _points(bar: tuple[float, float, float, float], step: float) -> Floats:
    """Return the centres (K, 2) of the cells of a bar."""
    x, y = (np.arange(bar[axis] + step / 2, bar[axis + 2], step) for axis in (0, 1))
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def _rotation(angle: float) -> Floats:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
