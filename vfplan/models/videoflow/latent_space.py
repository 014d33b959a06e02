"""Images read through a VideoFlow at the scale of imagination: their latents, and how likely one follows others."""

from __future__ import annotations

import torch
from torch import Tensor

from vfplan.models.videoflow.latents import LevelMemory, VideoFlowState
from vfplan.models.videoflow.model import VideoFlow


class FlowLatents:
    """What the levels from the scale of an image upwards make of it.

    B row, P past frame, T step, L level, coarsest first. Images (..., C, Y, X) are in [0, 1], the mean of
    `downscale` x `downscale` pixels each, at a scale at which the model rolls out.
    """

    def __init__(self, model: VideoFlow) -> None:
        self.model = model

    def latents(self, images: Tensor) -> list[Tensor]:
        """The latents (B, c, y, x) of images (B, C, Y, X), coarsest first."""
        return [latent for latent, _ in reversed(self._split(images))]

    def log_density(self, memory: VideoFlowState, images: Tensor, actions: Tensor, image: Tensor) -> Tensor:
        """Log-density (B, L), nats, of the latents of `image` (B, C, Y, X), which follows action T of (B, T, A).

        The past is `memory` (B), followed by the T - 1 `images` (B, T - 1, C, Y, X).
        """
        past = self.model.past_frames
        # Older frames are forgotten anyway.
        recent = images[:, max(0, images.shape[1] - past) :]
        state = self._remember(memory, recent, actions[:, :-1])
        parts = self._split(image)
        finest = self.model.top + 1 - len(parts)
        densities = [
            self.model.prior(finest + index, state, actions[:, -1], coarse).log_prob(latent)
            for index, (latent, coarse) in enumerate(parts)
        ]
        return torch.stack(densities[::-1], dim=1)

    def _remember(self, memory: VideoFlowState, images: Tensor, actions: Tensor) -> VideoFlowState:
        """The memory after images (B, T, C, Y, X) were seen, the last of at least as many actions (B, T', A)."""
        past, rows, count = self.model.past_frames, len(images), images.shape[1]
        known = VideoFlowState(memory.levels, *self.model.moved_on(memory, actions))
        if count == 0:
            return known
        parts = self._split(images.flatten(0, 1))
        levels: list[LevelMemory | None] = [None] * (self.model.top + 1 - len(parts))
        for level, (latent, coarse) in zip(memory.levels[len(levels) :], parts, strict=True):
            assert level is not None
            seen = LevelMemory(
                latent.unflatten(0, (rows, count)), None if coarse is None else coarse.unflatten(0, (rows, count))
            )
            levels.append(_last(level, seen, past))
        return VideoFlowState(tuple(levels), known.actions, known.hand)

    def _split(self, images: Tensor) -> list[tuple[Tensor, Tensor | None]]:
        """Latent and coarser image per level, from the finest at this scale to the top."""
        finest = self.model.finest_level(self.model.config.image_size // images.shape[-1])
        # Every level's coarser image is twice the average, and its pixels are centred on zero.
        image = (images - 0.5) * 2.0**finest
        parts = []
        for level in list(self.model.levels)[finest:]:
            latent, coarse, _ = level(image)
            parts.append((latent, coarse))
            image = latent if coarse is None else coarse
        return parts


def _last(older: LevelMemory, newer: LevelMemory, past: int) -> LevelMemory:
    """The last `past` frames of two memories, one after the other."""

    def join(first: Tensor, second: Tensor) -> Tensor:
        return torch.cat([first, second], dim=1)[:, -past:]

    if older.coarse is None or newer.coarse is None:
        return LevelMemory(join(older.latents, newer.latents), None)
    return LevelMemory(join(older.latents, newer.latents), join(older.coarse, newer.coarse))
