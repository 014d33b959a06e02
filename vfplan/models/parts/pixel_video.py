"""What world models have in common that draw frames pixel by pixel, and so know the probability of each exactly.

A frame is given the last P frames and the P actions that lead on from them: p(x_t+1 | x_t-P+1..t, a_t-P+1..t). Its
pixels fall into levels, finest first, each of which is drawn given the coarser ones; a level's log-probabilities need
no other level's networks.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from vfplan.checks import within
from vfplan.models.base import Context, LogProb, Noise, State
from vfplan.models.trainable import Architecture, TrainableModel
from vfplan.pixels import area_average, unit_from_frames

THUMBNAIL = 16  # pixels: the size at which rollouts are watched while training


@dataclass(frozen=True)
class Past:
    """The last P frames, and the actions that led from one to the next: memory, and all of it."""

    frames: Tensor
    """(B, P, C, Y, X) uint8, newest last."""
    actions: Tensor
    """(B, P - 1, A); (B, P, A) with the action that leads on from the newest frame."""

    def repeat(self, copies: int) -> Past:
        """Each row `copies` times, adjacent."""
        return self._map(lambda rows: rows.repeat_interleave(copies, 0))

    def take(self, rows: Tensor | slice) -> Past:
        """The chosen rows."""
        return self._map(lambda tensor: tensor[rows])

    def then(self, action: Tensor) -> Past:
        """With the action (B, A) that is taken now."""
        return Past(self.frames, torch.cat([self.actions, action[:, None]], dim=1))

    def after(self, frame: Tensor) -> Past:
        """With the frame (B, C, Y, X) that followed the last action; the oldest frame is forgotten."""
        return Past(torch.cat([self.frames[:, 1:], frame[:, None]], dim=1), self.actions[:, 1:])

    def _map(self, function: Callable[[Tensor], Tensor]) -> Past:
        return Past(function(self.frames), function(self.actions))


@dataclass(frozen=True)
class PixelNoise:
    """A standard-normal number for every value of T frames, (B, T, C, Y, X)."""

    values: Tensor

    def scaled(self, temperature: float) -> PixelNoise:
        """The noise times `temperature`: nearer to the median of each value."""
        return PixelNoise(temperature * self.values)

    def antithetic(self) -> PixelNoise:
        """Rows (2B, ...) in which row 2i is row i of this noise and row 2i + 1 its negative."""
        return PixelNoise(torch.stack([self.values, -self.values], dim=1).flatten(0, 1))

    def take(self, rows: Tensor | slice) -> PixelNoise:
        """The chosen rows."""
        return PixelNoise(self.values[rows])


@dataclass(frozen=True)
class PixelVideoConfig(Architecture):
    """What the configurations of all these models say."""

    past_frames: int = within(2, 1, 256)
    head_width: int = within(32, 1, 16384)
    """Hidden channels of the distribution of each colour channel."""
    copy_radius: int = within(2, 0, 16)
    """How many places away a pixel may be copied from in the newest frame; 0 for no copies."""

    @property
    def sources(self) -> int:
        """K, the places that a pixel may be copied from."""
        return (2 * self.copy_radius + 1) ** 2 if self.copy_radius else 0


class PixelVideo(TrainableModel):
    """A world model with exact probabilities of uint8 frames.

    Noise selects each value by its cumulative distribution, given those drawn before: zero noise is the median of
    each. Thumbnails are area averages of full frames, and cost as much as these.
    """

    bound: Literal["exact"] = "exact"
    reads_simulator = False

    def __init__(self, config: Architecture) -> None:
        super().__init__()
        self.config = config
        self.past_frames = config.past_frames
        self.action_dim = config.action_dim

    @property
    @abstractmethod
    def num_levels(self) -> int:
        """L."""

    @abstractmethod
    def level_dims(self, level: int) -> int:
        """The number of values in a level."""

    @abstractmethod
    def level_parameters(self, level: int) -> list[nn.Parameter]:
        """The parameters that a level's log-probabilities depend on, and no other level's do."""

    @abstractmethod
    def level_log_prob(self, level: int, past: Past, frame: Tensor) -> Tensor:
        """Log-probability (B, Y, X) nats of the pixels of a level of a uint8 frame (B, C, Y, X); 0 at all others.

        Given the pixels drawn before, and `past` with the action that led to the frame.
        """

    @abstractmethod
    def draw(self, past: Past, noise: Tensor) -> Tensor:
        """The uint8 frame (B, C, Y, X) that noise (B, C, Y, X) selects, given `past` with the action taken."""

    @property
    def coarsest(self) -> int:
        """The scale of thumbnails, if the image can be averaged to it; rollouts can be downscaled by any divisor."""
        size = self.config.image_size
        return size // THUMBNAIL if size % THUMBNAIL == 0 else 1

    def seen_actions(self, past: Past) -> Tensor:
        """The actions (B, P, A) as networks see them; one that is zero for a model that takes none."""
        if not self.action_dim:
            return past.actions.new_zeros(*past.actions.shape[:2], 1)
        return self.config.seen_actions(past.actions)

    def encode(self, context: Context) -> Past:
        """Remember the context."""
        return Past(context.frames, context.actions)

    def sample_noise(self, rows: int, steps: int, rng: torch.Generator | None, *, downscale: int = 1) -> PixelNoise:
        """Standard-normal noise, the same at every scale; without a generator zeros.

        Raises:
            ValueError: if `downscale` does not divide the image size.
        """
        size, device = self.config.image_size, next(self.parameters()).device
        if size % downscale:
            raise ValueError(f"downscale must divide the image size {size}; got {downscale}")
        shape = (rows, steps, self.config.channels, size, size)
        return PixelNoise(
            torch.zeros(shape, device=device) if rng is None else torch.randn(shape, generator=rng, device=device)
        )

    @torch.no_grad()
    def rollout(self, state: State, actions: Tensor, noise: Noise, *, downscale: int = 1) -> Tensor:
        """Draw the frames (B, T, C, Y / downscale, X / downscale) in [0, 1] that follow actions (B, T, A).

        Each becomes the memory of the next. Nothing has a gradient: what is drawn is discrete.
        """
        assert isinstance(state, Past) and isinstance(noise, PixelNoise)
        images = []
        for action, drawn in zip(actions.unbind(1), noise.values.unbind(1), strict=True):
            past = state.then(action)
            frame = self.draw(past, drawn.to(next(self.parameters()).dtype))
            state = past.after(frame)
            images.append(area_average(unit_from_frames(frame), downscale))
        return torch.stack(images, dim=1)

    def decode(self, rollout: object, steps: list[int] | None = None) -> Tensor:
        """The chosen steps."""
        assert isinstance(rollout, Tensor)
        return rollout if steps is None else rollout[:, steps]

    def log_prob(self, context: Context, actions: Tensor, frames: Tensor, rng: torch.Generator) -> LogProb:
        """Teacher-forced log-probability of uint8 frames (B, T, C, Y, X) after actions (B, T, A): exact, no noise."""
        past, per_frame = self.encode(context), []
        for action, frame in zip(actions.unbind(1), frames.unbind(1), strict=True):
            given = past.then(action)
            levels = [self.level_log_prob(level, given, frame).sum((1, 2)) for level in range(self.num_levels)]
            per_frame.append(torch.stack(levels, dim=1))
            past = given.after(frame)
        nats = torch.stack(per_frame, dim=1)
        return LogProb(nats.sum(2), nats)

    def cell_log_prob(self, context: Context, action: Tensor, frame: Tensor) -> Tensor:
        """Log-probability (B, Y, X) nats of each pixel of uint8 frame (B, C, Y, X) after action (B, A)."""
        past = self.encode(context).then(action)
        levels = (self.level_log_prob(level, past, frame) for level in range(self.num_levels))
        return torch.stack(list(levels)).sum(0)
