"""What world models that paint whole frames have in common, with a likelihood or without."""

from __future__ import annotations

import torch
from torch import Tensor

from vfplan.models.trainable import Architecture, TrainableModel
from vfplan.pixels import unit_from_frames

THUMBNAIL = 16  # pixels


class VideoModel(TrainableModel):
    """A world model that computes at full size; thumbnails are area averages of that.

    Args:
        config: what it is made from.
    """

    reads_simulator = False

    def __init__(self, config: Architecture) -> None:
        super().__init__()
        self.config = config
        self.past_frames, self.action_dim = config.past_frames, config.action_dim

    @property
    def coarsest(self) -> int:
        """The scale of validation: of thumbnails of 16 pixels or more. Any divisor of the image size is allowed."""
        scale = 1
        while self.config.image_size % (2 * scale) == 0 and self.config.image_size >= 2 * scale * THUMBNAIL:
            scale *= 2
        return scale

    def images(self, frames: Tensor) -> Tensor:
        """Images in [0, 1] of uint8 frames, in the precision of the weights."""
        return unit_from_frames(frames).to(next(self.parameters()).dtype)

    def actions(self, actions: Tensor) -> Tensor:
        """Actions as the networks see them."""
        return self.config.seen_actions(actions).to(next(self.parameters()).dtype)

    def normal(self, shape: tuple[int, ...], rng: torch.Generator | None) -> Tensor:
        """Standard normal noise where the weights are, in their precision; zeros without a generator."""
        like = next(self.parameters())
        if rng is None:
            return like.new_zeros(shape)
        return torch.randn(shape, generator=rng, device=like.device, dtype=like.dtype)

    def _require_scale(self, downscale: int) -> None:
        """Raise ValueError for a scale that does not divide the image."""
        if self.config.image_size % downscale:
            raise ValueError(f"downscale must divide the image size {self.config.image_size}; got {downscale}")
