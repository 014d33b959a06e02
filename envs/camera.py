"""A pinhole camera: rays into the scene, points onto the image. It knows nothing of MuJoCo or of colours.

Image coordinates are continuous (column, row) in pixels: pixel k covers [k, k + 1), so its centre is k + 0.5, column 0
is the left edge of the image and row 0 the top edge. Dividing them by n gives the coordinates of an n-times smaller
area-averaged image.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Camera:
    """Where the camera stands (m), what it looks at (m), and its vertical field of view (degrees)."""

    position: tuple[float, float, float]
    target: tuple[float, float, float]
    fovy_degrees: float

    def axes(self) -> tuple[Floats, Floats, Floats]:
        """Return the unit vectors right, up and forward in world coordinates, (3,) each."""
        forward = np.subtract(self.target, self.position)
        forward = forward / np.sqrt((forward * forward).sum())
        # The world's y axis points away from the viewer, so it is "up" in the image even when looking straight down.
        right = np.cross(forward, (0.0, 1.0, 0.0) if abs(forward[2]) > 0.999 else (0.0, 0.0, 1.0))
        right = right / np.sqrt((right * right).sum())
        return right, np.cross(right, forward), forward

    def focal(self, size: int) -> float:
        """Return the focal length in pixels of an image `size` pixels high."""
        return float(0.5 * size / np.tan(np.radians(self.fovy_degrees) / 2))

    def directions(self, columns: Floats, rows: Floats, size: int) -> Floats:
        """Return ray directions (..., 3) through image points (...); their component along `forward` is 1."""
        right, up, forward = self.axes()
        x = (columns - size / 2) / self.focal(size)
        y = (size / 2 - rows) / self.focal(size)
        return x[..., None] * right + y[..., None] * up + forward

    def homography(self, size: int) -> Floats:
        """Return the (3, 3) matrix that takes a floor point (x m, y m, 1) to homogeneous (column, row, 1)."""
        right, up, forward = self.axes()
        eye = np.array(self.position)
        basis = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
        basis[:, 2] = -eye
        x, y, depth = right @ basis, up @ basis, forward @ basis
        f, c = self.focal(size), size / 2
        matrix = np.stack([f * x + c * depth, -f * y + c * depth, depth])
        return matrix / matrix[2, 2]
