"""Where the hand is, told to a model beside the pictures: for where these do not show it.

As proprioception enters other world models (Ebert et al., Visual Foresight, 2018, among them), but as a picture of its
own, so that a convolution has it at the place that it is about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Row = tuple[float, float, float]

FAINTEST = -20.0  # of the logarithm of a map; beyond it values become denormal, which a CPU computes ten times slower


@dataclass(frozen=True)
class Hand:
    """How the hand moves and where it is seen: calibration, which a robot has and no camera has to learn."""

    floor_to_image: tuple[Row, Row, Row]
    """Homography from (x, y, 1) in m to homogeneous (column, row) in fractions of the image."""
    action_scale: float
    """Metres per unit of action (dx, dy)."""
    limit: float
    """Metres from the middle that it keeps within, along x and along y."""

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> Hand:
        """From what a store says of its environment. Raises ValueError if that says nothing of a hand."""
        try:
            to_pixel, size = description["floor_to_pixel"], float(description["image_size"])
            shares = [
                [value / divisor for value in row] for row, divisor in zip(to_pixel, (size, size, 1.0), strict=True)
            ]
            first, second, third = ((float(a), float(b), float(c)) for a, b, c in shares)
            scale, limit = float(description["action_scale"]), float(description["config"]["hand_limit"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError("its description has no floor_to_pixel, action_scale and config.hand_limit") from error
        return cls((first, second, third), scale, limit)

    def after(self, place: Tensor, action: Tensor) -> Tensor:
        """Where (B, 2) m actions (B, A) bring the hand from places (B, 2) m, if nothing is in its way."""
        return (place + self.action_scale * action[:, :2]).clamp(-self.limit, self.limit)

    def follow(self, places: Tensor, actions: Tensor) -> Tensor:
        """The places (B, P, 2) m, and those (B, P + T, 2) to which actions (B, T, A) lead from the last of them."""
        for action in actions.unbind(1):
            places = torch.cat([places, self.after(places[:, -1], action)[:, None]], dim=1)
        return places

    def maps(self, places: Tensor, rows: int, columns: int) -> Tensor:
        """A picture (..., 1, rows, columns) of the hand at places (..., 2) m: a Gaussian as wide as a pixel."""
        points = torch.cat([places, torch.ones_like(places[..., :1])], dim=-1)
        points = points @ torch.tensor(self.floor_to_image, dtype=places.dtype, device=places.device).T
        across = torch.arange(columns, device=places.device) + 0.5 - columns * (points[..., :1] / points[..., 2:])
        down = torch.arange(rows, device=places.device) + 0.5 - rows * (points[..., 1:2] / points[..., 2:])
        exponent = -0.5 * (across.square()[..., None, :] + down.square()[..., :, None])
        return exponent.clamp_min(FAINTEST).exp().unsqueeze(-3)
