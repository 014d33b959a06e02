"""Where the coloured object is: the centroid of colour in a frame, taken to the floor in metres.

Made for scenes in which the movable object is coloured and everything else is grey. Chroma is the length of what is
left of a pixel's colour when its grey is taken away, 0 for grey and 0.8 for pure red.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from vfplan.pixels import chroma, unit_from_frames

Floats = NDArray[np.float64]

THRESHOLD = 0.3  # of the strongest chroma of a usual frame: less is noise or shadow
VISIBLE = 0.2  # of the usual coloured mass: with less, a frame shows no object
WHOLE = 0.8  # of it: with more, nothing hides the object
FAINTEST = 0.05  # chroma of a frame's most coloured pixel, below which a store is grey


@dataclass(frozen=True)
class Colour:
    """What counts as coloured in a store, learned from its true frames."""

    threshold: float
    """Chroma below it does not count."""
    usual: float
    """Median coloured mass of a true frame, in chroma times pixels."""

    @classmethod
    def of(cls, frames: Tensor) -> Colour | None:
        """From true frames (..., C, Y, X) uint8, at most a few thousand; None if they carry hardly any colour."""
        found = colourfulness(frames.flatten(0, -4))
        strongest = float(found.amax(dim=(-2, -1)).median())
        if strongest < FAINTEST:
            return None
        threshold = THRESHOLD * strongest
        return cls(threshold, float((found * (found > threshold)).sum(dim=(-2, -1)).median()))

    def weights(self, frames: Tensor) -> Tensor:
        """Chroma (..., Y, X) of frames (..., C, Y, X) uint8 where it counts, zero elsewhere."""
        found = colourfulness(frames)
        return found * (found > self.threshold)

    def mass(self, frames: Tensor) -> Floats:
        """Coloured mass (...) of frames (..., C, Y, X) uint8, relative to the usual: 1 with the object in full view."""
        return (self.weights(frames).sum(dim=(-2, -1)).double() / self.usual).cpu().numpy()


def colourfulness(frames: Tensor) -> Tensor:
    """The length (..., Y, X) of the chroma of frames (..., C, Y, X) uint8, in units of the full scale."""
    return chroma(unit_from_frames(frames)).norm(dim=-3)


@dataclass(frozen=True)
class Locator:
    """Finds the one object of a store in its frames.

    The centroid of colour is taken to the floor by the store's homography, then corrected by an affine map: what is
    seen is the object at some height above the floor, and seen from a pinhole a plane at another height is the floor
    scaled and shifted. The map is fitted to the true poses of frames in which nothing hides the object.
    """

    colour: Colour
    pixel_to_floor: Floats
    """(3, 3), homogeneous (column, row, 1) to homogeneous floor points in m."""
    correction: Floats
    """(3, 2): (x, y, 1) on the floor times this is the object's position, m."""

    @classmethod
    def fit(cls, colour: Colour, frames: Tensor, object_xy: ArrayLike, floor_to_pixel: ArrayLike) -> Locator:
        """From true frames (..., C, Y, X) uint8, the poses (..., 2) in m and the (3, 3) homography of the floor."""
        uncorrected = cls(colour, np.linalg.inv(np.asarray(floor_to_pixel, dtype=np.float64)), np.eye(3)[:, :2])
        found, mass = uncorrected.locate(frames)
        whole = mass >= WHOLE
        points = np.concatenate([found[whole], np.ones((int(whole.sum()), 1))], axis=1)
        correction = np.linalg.lstsq(points, np.asarray(object_xy, dtype=np.float64)[whole], rcond=None)[0]
        return cls(colour, uncorrected.pixel_to_floor, correction)

    def locate(self, frames: Tensor) -> tuple[Floats, Floats]:
        """Find the object in frames (..., C, Y, X) uint8.

        Returns:
            Positions (..., 2) in m, NaN where no object is seen, and the relative coloured mass (...).
        """
        weights = self.colour.weights(frames).double()
        mass = weights.sum(dim=(-2, -1))
        columns = torch.arange(weights.shape[-1], device=weights.device) + 0.5
        rows = torch.arange(weights.shape[-2], device=weights.device) + 0.5
        across = (weights.sum(dim=-2) * columns).sum(dim=-1) / mass
        down = (weights.sum(dim=-1) * rows).sum(dim=-1) / mass
        pixels = torch.stack([across, down, torch.ones_like(mass)], dim=-1).cpu().numpy()
        floor = pixels @ self.pixel_to_floor.T
        floor = np.concatenate([floor[..., :2] / floor[..., 2:], np.ones_like(floor[..., 2:])], axis=-1)
        seen = (mass / self.colour.usual).cpu().numpy()
        return np.where(seen[..., None] >= VISIBLE, floor @ self.correction, np.nan), seen


def held(positions: Floats) -> Floats:
    """Positions (..., T, 2) in which every NaN is replaced by the last position before it; leading ones stay NaN."""
    filled = positions.copy()
    for step in range(1, filled.shape[-2]):
        unseen = np.isnan(filled[..., step, :])
        filled[..., step, :] = np.where(unseen, filled[..., step - 1, :], filled[..., step, :])
    return filled
