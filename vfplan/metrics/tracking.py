"""Where objects of different colours are: each is found by its own hue, in images of any scale.

N window, O object, C channel, y row, x column.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from vfplan.pixels import chroma

Floats = NDArray[np.float64]

LEAST_COSINE = 0.5  # of the angle between two hues, from which a pixel counts as an object's
FAINT = 0.05  # chroma below it is noise
COLOURED = 1e-3  # an object's share of the image, weighted by chroma, from which it can be followed
LOST = 0.2  # of an object's usual colour, below which it is not seen


def hue_weights(images: Tensor, colours: Tensor) -> Tensor:
    """How much (..., y, x) of each pixel of images (..., C, y, x) in [0, 1] has the hue of colours (..., C).

    The length of its chroma along that of the colour, less the farther away its hue is, none from 60 degrees on.
    """
    seen, wanted = chroma(images), chroma(colours[..., None, None])
    wanted = wanted / wanted.norm(dim=-3, keepdim=True).clamp_min(1e-6)
    along, strength = (seen * wanted).sum(dim=-3), seen.norm(dim=-3)
    likeness = (along / strength.clamp_min(1e-6) - LEAST_COSINE).clamp_min(0.0) / (1 - LEAST_COSINE)
    return along.clamp_min(0.0) * likeness * (strength > FAINT)


@dataclass(frozen=True)
class Tracker:
    """Finds objects in images by their hue: the centroid of its colour, taken to the floor.

    What is seen is the object at some height above the floor; an affine map that is fitted to true poses corrects that.
    """

    image_to_floor: Floats
    """(3, 3), homogeneous (column, row, 1) in fractions of the image to homogeneous floor points in m."""
    correction: Floats
    """(3, 2): (x, y, 1) on the floor times this is the object's position, m."""
    usual: float
    """Median mass of an object that is not hidden, as a share of the image."""

    @classmethod
    def fit(
        cls, images: Tensor, colours: Tensor, object_xy: ArrayLike, floor_to_pixel: ArrayLike, image_size: int
    ) -> Tracker:
        """From true images (B, C, y, x), an object's colour (B, C) and pose (B, 2) in each, and the floor's (3, 3)."""
        to_fraction = np.diag([1 / image_size, 1 / image_size, 1.0]) @ np.asarray(floor_to_pixel, dtype=np.float64)
        plain = cls(np.linalg.inv(to_fraction), np.eye(3)[:, :2], 0.0)
        found, mass = plain.locate(images, colours)
        usual = float(np.median(mass[mass > COLOURED])) if (mass > COLOURED).any() else 0.0
        whole = mass > 0.5 * usual
        points = np.concatenate([found[whole], np.ones((int(whole.sum()), 1))], axis=1)
        correction = np.linalg.lstsq(points, np.asarray(object_xy, dtype=np.float64)[whole], rcond=None)[0]
        return cls(plain.image_to_floor, correction, usual)

    def locate(self, images: Tensor, colours: Tensor) -> tuple[Floats, Floats]:
        """Positions (..., 2) m, NaN where it is lost, of the object of colours (..., C) in images (..., C, y, x).

        And the mass (...) of its colour, as a share of the image.
        """
        weights = hue_weights(images, colours).double()
        rows, columns = weights.shape[-2:]
        mass = weights.sum(dim=(-2, -1))
        across = (weights.sum(dim=-2) * ((torch.arange(columns) + 0.5) / columns).to(weights)).sum(dim=-1) / mass
        down = (weights.sum(dim=-1) * ((torch.arange(rows) + 0.5) / rows).to(weights)).sum(dim=-1) / mass
        points = torch.stack([across, down, torch.ones_like(mass)], dim=-1).cpu().numpy() @ self.image_to_floor.T
        floor = np.concatenate([points[..., :2] / points[..., 2:], np.ones_like(points[..., 2:])], axis=-1)
        share = (mass / (rows * columns)).cpu().numpy()
        seen = share > LOST * self.usual
        return np.where(seen[..., None], floor @ self.correction, np.nan), share


def colours_seen(frames: NDArray[np.uint8], object_xy: Floats, floor_to_pixel: ArrayLike) -> NDArray[np.float32]:
    """The colour (N, O, C) of each object at (N, T, O, 2) m in clips (N, T, Y, X, C), where it is seen best of T times.

    At one time it may be hidden, by the hand or beneath a roof.
    """
    windows, objects = object_xy.shape[0], object_xy.shape[2]
    each = colours_of(frames.reshape(-1, *frames.shape[2:]), object_xy.reshape(-1, objects, 2), floor_to_pixel)
    each = each.reshape(windows, -1, objects, each.shape[-1])
    strongest = np.ptp(each, axis=-1).argmax(axis=1)
    return np.take_along_axis(each, strongest[:, None, :, None], axis=1)[:, 0]


def colours_of(frames: ArrayLike, object_xy: ArrayLike, floor_to_pixel: ArrayLike) -> NDArray[np.float32]:
    """The colour (N, O, C) in [0, 1] of each object at (N, O, 2) m in frames (N, Y, X, C) uint8.

    That of the most coloured pixel within two of where the floor beneath it is seen.
    """
    images, xy = np.asarray(frames, dtype=np.float32) / 255.0, np.asarray(object_xy, dtype=np.float64)
    points = np.concatenate([xy, np.ones_like(xy[..., :1])], axis=-1) @ np.asarray(floor_to_pixel).T
    column, row = (np.floor(points[..., k] / points[..., 2]).astype(int) for k in (0, 1))
    offsets = np.stack(np.meshgrid(np.arange(-2, 3), np.arange(-2, 3)), axis=-1).reshape(-1, 2)
    size = images.shape[1]
    rows = np.clip(row[..., None] + offsets[:, 0], 0, size - 1)
    columns = np.clip(column[..., None] + offsets[:, 1], 0, size - 1)
    patches = images[np.arange(len(images))[:, None, None], rows, columns]
    strongest = np.ptp(patches, axis=-1).argmax(axis=-1)
    return np.take_along_axis(patches, strongest[..., None, None], axis=2)[:, :, 0]
