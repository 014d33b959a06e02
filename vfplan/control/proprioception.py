"""Where the camera sees the hand: known from calibration and joint angles on a robot, without any vision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Proprioception:
    """What tells where the hand is in an image. E point."""

    floor_to_image: NDArray[np.float64]
    """(3, 3) homography from (x, y, 1) in m to homogeneous (column, row) in fractions of the image."""
    action_scale: float
    """Metres per unit of action (dx, dy)."""

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> Proprioception | None:
        """From the description of an environment; None without a calibrated camera."""
        if "floor_to_pixel" not in description:
            return None
        to_pixel = np.asarray(description["floor_to_pixel"], dtype=np.float64)
        scale = np.diag([1 / description["image_size"], 1 / description["image_size"], 1.0])
        return cls(scale @ to_pixel, float(description["action_scale"]))

    def locate(self, xy: NDArray[Any]) -> NDArray[np.float32]:
        """Points (E, 2) in m to points (E, 2) in fractions of the image."""
        points = np.concatenate([xy, np.ones((len(xy), 1))], axis=1) @ self.floor_to_image.T
        return (points[:, :2] / points[:, 2:]).astype(np.float32)

    @property
    def motion(self) -> NDArray[np.float32]:
        """(2, 2) motion in the image of one unit of action, at the centre of the bin."""
        steps = np.array([[0.0, 0.0], [self.action_scale, 0.0], [0.0, self.action_scale]])
        centre, right, up = self.locate(steps)
        return np.stack([right - centre, up - centre], axis=1)
