"""What VideoFlow remembers, draws and imagines: tensors per level, finest first; no network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from vfplan.models.videoflow.distributions import LatentNoise

LIMIT = 64.0
"""Of what is sampled, in multiples of the largest that an orthonormal transform makes of images in [-0.5, 0.5]."""


def bounded(sampled: Tensor, level: int) -> Tensor:
    """What was sampled for a level, within limits that no image reaches.

    Samples feed the next prediction, and a memory unlike all training data may make each larger than the last.
    """
    limit = LIMIT * 2**level
    return sampled.clamp(-limit, limit)


@dataclass(frozen=True)
class LevelMemory:
    """What one level remembers of the last P frames."""

    latents: Tensor
    """z (B, P, c, y, x), newest last."""
    coarse: Tensor | None
    """The coarser images (B, P, C, y, x) that the latents refine; None at the top."""

    def map(self, function: Callable[[Tensor], Tensor]) -> LevelMemory:
        """The memory with `function` applied to its tensors."""
        return LevelMemory(function(self.latents), None if self.coarse is None else function(self.coarse))

    def push(self, latent: Tensor, coarse: Tensor | None) -> LevelMemory:
        """The memory one frame later, the oldest frame forgotten."""
        latents = torch.cat([self.latents[:, 1:], latent[:, None]], dim=1)
        if self.coarse is None or coarse is None:
            return LevelMemory(latents, None)
        return LevelMemory(latents, torch.cat([self.coarse[:, 1:], coarse[:, None]], dim=1))


@dataclass(frozen=True)
class VideoFlowState:
    """Memory of the last P frames, level by level, finest first."""

    levels: tuple[LevelMemory | None, ...]
    """None where a level was not encoded."""
    actions: Tensor
    """(B, P - 1, A)."""
    hand: Tensor | None = None
    """(B, P, 2) m, for a model that is told where the hand is."""

    def repeat(self, copies: int) -> VideoFlowState:
        """Each row `copies` times, adjacent."""
        return self._map(lambda rows: rows.repeat_interleave(copies, 0))

    def take(self, rows: Tensor | slice) -> VideoFlowState:
        """The chosen rows."""
        return self._map(lambda tensor: tensor[rows])

    def window(self, first: int, frames: int) -> VideoFlowState:
        """The memory of `frames` consecutive frames, from the one at index `first` on."""
        levels = tuple(
            None if level is None else level.map(lambda tensor: tensor[:, first : first + frames])
            for level in self.levels
        )
        hand = None if self.hand is None else self.hand[:, first : first + frames]
        return VideoFlowState(levels, self.actions[:, first : first + frames - 1], hand)

    def _map(self, function: Callable[[Tensor], Tensor]) -> VideoFlowState:
        levels = tuple(None if level is None else level.map(function) for level in self.levels)
        return VideoFlowState(levels, function(self.actions), None if self.hand is None else function(self.hand))


@dataclass(frozen=True)
class VideoFlowNoise:
    """Standard-normal noise of T steps per level, finest first: every tensor is (B, T, ...).

    None where a level is not rolled out.
    """

    levels: tuple[LatentNoise | None, ...]

    def scaled(self, temperature: float) -> VideoFlowNoise:
        """The noise at another temperature: every standard deviation times `temperature`, every choice less random."""
        return self._map(lambda tensor: temperature * tensor)

    def scaled_by_row(self, temperatures: Tensor) -> VideoFlowNoise:
        """The noise with a temperature (B,) of its own for every row."""
        return self._map(lambda tensor: temperatures.view(-1, *[1] * (tensor.dim() - 1)) * tensor)

    def antithetic(self) -> VideoFlowNoise:
        """Rows (2B, ...) in which row 2i is row i of this noise and row 2i + 1 its negative."""
        return self._map(lambda tensor: torch.stack([tensor, -tensor], dim=1).flatten(0, 1))

    def take(self, rows: Tensor | slice) -> VideoFlowNoise:
        """The chosen rows."""
        return self._map(lambda tensor: tensor[rows])

    def at(self, step: int) -> tuple[LatentNoise | None, ...]:
        """The noise of one step: tensors (B, ...)."""
        return self._map(lambda tensor: tensor[:, step]).levels

    def _map(self, function: Callable[[Tensor], Tensor]) -> VideoFlowNoise:
        return VideoFlowNoise(tuple(None if level is None else level.map(function) for level in self.levels))


@dataclass(frozen=True)
class VideoFlowRollout:
    """Imagined images (B, T, C, y, x) of one scale, not clamped, with pixels scaled by `gain`."""

    images: Tensor
    gain: float
