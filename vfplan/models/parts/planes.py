"""A vector in every place of maps: how actions and latents without places meet what has places."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def planes(vector: Tensor, places: Sequence[int]) -> Tensor:
    """A vector (B, n) in every place, (B, n, *places)."""
    return vector.reshape(*vector.shape, *[1] * len(places)).expand(-1, -1, *places)


def joined(maps: Tensor, vector: Tensor, *more: Tensor) -> Tensor:
    """Maps (B, c, ...), a vector (B, n) in every place of them, and more maps, along the second dimension.

    Maps of no places, codes (B, c), are just beside the vector.
    """
    return torch.cat([maps, planes(vector, maps.shape[2:]), *more], dim=1)
