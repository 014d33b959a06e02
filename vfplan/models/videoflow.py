"""Action-conditioned VideoFlow: a multi-scale flow per frame with an autoregressive latent prior.

After Kumar et al., "VideoFlow: A Conditional Flow-Based Model for Stochastic Video Generation", ICLR 2020, with the
same factorisation p(x_t | x_<t, a) = |det| prod_l p(z_t^l | z_<t^l, h_<=t^(l+1), a). Levels run from the finest
(0) to the top; h^(l+1) is the image that level l leaves to the coarser ones. Because every level passes an
orthonormal area average upwards, the top latent *is* the thumbnail of the frame, and a rollout of the coarse levels
alone is the exact marginal of the model over thumbnails.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from vfplan.flows import Level
from vfplan.models.base import Context, LogProb
from vfplan.models.latents import LevelMemory, VideoFlowNoise, VideoFlowRollout, VideoFlowState
from vfplan.models.prior import Gaussian, LevelPrior
from vfplan.pixels import LOG_LEVELS, dequantise, to_unit


@dataclass(frozen=True)
class PriorConfig:
    """Size of one level's prior network."""

    widths: tuple[int, ...]
    """Channels at each scale of the U-Net, finest first."""
    blocks: tuple[int, ...]
    """Residual blocks at each scale."""


@dataclass(frozen=True)
class VideoFlowConfig:
    """Architecture of `VideoFlow`; stored in checkpoints."""

    name: str = "videoflow"
    image_size: int = 64
    channels: int = 3
    action_dim: int = 4
    past_frames: int = 3
    flow_steps: int = 2
    flow_width: int = 24
    condition_dim: int = 64
    priors: tuple[PriorConfig, ...] = (
        PriorConfig((16, 24, 32), (1, 1, 1)),
        PriorConfig((24, 40, 48), (1, 1, 1)),
        PriorConfig((32, 64, 128), (1, 2, 2)),
    )
    """One per level, finest first; the last is the top. The image is halved len(priors) - 1 times."""

    def __post_init__(self) -> None:
        if self.past_frames < 1:
            raise ValueError(f"past_frames must be at least 1; got {self.past_frames}")
        if len(self.priors) < 1 or self.image_size % 2 ** (len(self.priors) - 1):
            raise ValueError(f"image_size={self.image_size} cannot be halved for {len(self.priors)} levels")


class VideoFlow(nn.Module):
    """The default world model: Haar levels, bounded flow steps, U-Net priors with FiLM actions."""

    bound: Literal["dequantised"] = "dequantised"
    reads_simulator = False

    def __init__(self, config: VideoFlowConfig) -> None:
        super().__init__()
        self.config = config
        self.past_frames = config.past_frames
        self.action_dim = config.action_dim
        count = len(config.priors)
        self.levels = nn.ModuleList(
            [Level(config.channels, steps=config.flow_steps, width=config.flow_width) for _ in range(count - 1)]
        )
        self.priors = nn.ModuleList()
        for level, prior in enumerate(config.priors):
            top = level == count - 1
            side = config.image_size // 2 ** min(level + 1, count - 1)
            self.priors.append(
                LevelPrior(
                    latent_channels=config.channels * (1 if top else 3),
                    coarse_channels=0 if top else config.channels,
                    size=(side, side),
                    past_frames=config.past_frames,
                    action_dim=config.action_dim,
                    widths=prior.widths,
                    blocks=prior.blocks,
                    condition_dim=config.condition_dim,
                )
            )

    def set_compute_dtype(self, dtype: torch.dtype) -> None:
        """Let the prior networks run in `dtype`: bfloat16 for training and rollouts, never for reported likelihoods."""
        for prior in self.priors:
            prior.net.compute_dtype = dtype  # type: ignore[union-attr]

    @property
    def top(self) -> int:
        """Index of the coarsest level."""
        return len(self.levels)

    def encode(self, context: Context, levels: Sequence[int] | None = None) -> VideoFlowState:
        """Run the flow on the context frames, each pixel at the middle of its bin; all levels by default."""
        images = dequantise(context.frames)
        rows, past = images.shape[:2]
        memories: list[LevelMemory | None] = []
        for level in range(self.top + 1):
            if levels is not None and level not in levels:
                memories.append(None)
                continue
            latent, coarse, _ = self.split(level, images.flatten(0, 1))
            memories.append(
                LevelMemory(
                    latent.unflatten(0, (rows, past)), None if coarse is None else coarse.unflatten(0, (rows, past))
                )
            )
        return VideoFlowState(tuple(memories), context.actions)

    def prior(self, level: int, state: VideoFlowState, action: Tensor, coarse: Tensor | None) -> Gaussian:
        """p(z_t^level | state, action (B, A) into frame t, coarser image (B, C, y, x) of frame t; None at the top)."""
        memory = state.levels[level]
        if memory is None:
            raise ValueError(f"the state was encoded without level {level}")
        actions = torch.cat([state.actions, action[:, None]], dim=1)
        if memory.coarse is None or coarse is None:
            return self.priors[level](memory.latents, None, actions)
        return self.priors[level](memory.latents, torch.cat([memory.coarse, coarse[:, None]], dim=1), actions)

    def sample_noise(self, rows: int, steps: int, rng: torch.Generator | None, *, downscale: int = 1) -> VideoFlowNoise:
        """Standard-normal noise for the levels that a rollout at `downscale` needs; zeros without a generator."""
        finest = self._finest_level(downscale)
        noise: list[Tensor | None] = [None] * finest
        for level in range(finest, self.top + 1):
            shape = (rows, steps, *self._latent_shape(level))
            device = next(self.parameters()).device
            noise.append(
                torch.zeros(1, device=device).expand(shape)
                if rng is None
                else torch.randn(shape, generator=rng, device=device)
            )
        return VideoFlowNoise(tuple(noise))

    def rollout(
        self, state: VideoFlowState, actions: Tensor, noise: VideoFlowNoise, *, downscale: int = 1
    ) -> VideoFlowRollout:
        """Imagine T frames after actions (B, T, A): top level first, then each finer level given the coarser image.

        The sampled latents, not re-encoded frames, become the memory of the next step.
        """
        finest = self._finest_level(downscale)
        frames = []
        for step in range(actions.shape[1]):
            drawn = [None if level is None else level[:, step] for level in noise.levels]
            image, state = self.step(state, actions[:, step], drawn, finest=finest)
            frames.append(image)
        return VideoFlowRollout(torch.stack(frames, dim=1), 2.0**finest)

    def step(
        self, state: VideoFlowState, action: Tensor, noise: Sequence[Tensor | None], *, finest: int
    ) -> tuple[Tensor, VideoFlowState]:
        """The image (B, C, y, x) of level `finest` after action (B, A), and the memory that includes it.

        `noise` has a (B, c, y, x) for every level from `finest` to the top.
        """
        image: Tensor | None = None
        memories = list(state.levels)
        for level in range(self.top, finest - 1, -1):
            prior, drawn = self.prior(level, state, action, image), noise[level]
            if drawn is None:
                raise ValueError(f"the noise was drawn without level {level}, which downscale={2**finest} needs")
            latent = prior.transform(drawn)
            memories[level] = memories[level].push(latent, image)  # type: ignore[union-attr]
            image = latent if image is None else self.levels[level].inverse(latent, image)  # type: ignore[operator]
        assert image is not None
        return image, VideoFlowState(tuple(memories), torch.cat([state.actions, action[:, None]], dim=1)[:, 1:])

    def decode(self, rollout: VideoFlowRollout, steps: list[int] | None = None) -> Tensor:
        """Images (B, T', C, y, x) in [0, 1] of the chosen steps."""
        images = rollout.images if steps is None else rollout.images[:, steps]
        return to_unit(images / rollout.gain)

    def level_log_prob(self, level: int, state: VideoFlowState, action: Tensor, frame: Tensor) -> Tensor:
        """Log-density (B,) nats of one level of a dequantised frame (B, C, Y, X), given memory and action."""
        latent, coarse, log_det = self.split(level, frame)
        return self.prior(level, state, action, coarse).log_prob(latent).flatten(1).sum(1) + log_det

    def split(self, level: int, frame: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
        """Latent, coarser image (None at the top) and log-determinant (B,) of one level of frame (B, C, Y, X)."""
        for finer in range(level):
            frame = self.levels[finer].coarsen(frame)  # type: ignore[operator]
        if level == self.top:
            return frame, None, frame.new_zeros(frame.shape[0])
        return self.levels[level](frame)

    def latents(self, images: Tensor) -> tuple[Tensor, ...]:
        """The latents of images (B, C, Y, X) in [-0.5, 0.5), finest level first: the flow alone, without a prior."""
        found = []
        for level in self.levels:
            latent, images, _ = level(images)
            found.append(latent)
        return (*found, images)

    def image(self, latents: Sequence[Tensor]) -> Tensor:
        """The images (B, C, Y, X) of latents, finest first: the inverse of `latents`; not clamped."""
        *details, image = latents
        for level, latent in zip(reversed(self.levels), reversed(details), strict=True):
            image = level.inverse(latent, image)  # type: ignore[operator]
        return image

    def log_prob(self, context: Context, actions: Tensor, frames: Tensor, rng: torch.Generator) -> LogProb:
        """Teacher-forced lower bound on the log-probability of uint8 frames (B, T, C, Y, X), one dequantisation sample.

        Frame t is scored given the true frames before it (context frames cost nothing). The constant of
        dequantisation, log 256 nats per dimension, is spread over the levels by their number of dimensions.

        Raises:
            ValueError: if the networks compute in a reduced precision.
        """
        if any(prior.net.compute_dtype != torch.float32 for prior in self.priors):  # type: ignore[union-attr]
            raise ValueError("likelihoods are computed in float32 only: call set_compute_dtype(torch.float32) first")
        history = torch.cat([context.frames, frames], dim=1)
        past = torch.cat([context.actions, actions], dim=1)
        noise = torch.rand(frames.shape, generator=rng, device=frames.device)
        per_frame = []
        for step in range(frames.shape[1]):
            window = slice(step, step + self.past_frames)
            state = self.encode(Context(history[:, window], past[:, step : step + self.past_frames - 1]))
            target = dequantise(frames[:, step], noise[:, step])
            per_level = [
                self.level_log_prob(level, state, actions[:, step], target) - self.level_dims(level) * LOG_LEVELS
                for level in range(self.top + 1)
            ]
            per_frame.append(torch.stack(per_level, dim=1))
        levels = torch.stack(per_frame, dim=1)
        return LogProb(levels.sum(2), levels)

    def level_dims(self, level: int) -> int:
        """Number of dimensions of one level's latent."""
        channels, rows, columns = self._latent_shape(level)
        return channels * rows * columns

    def _latent_shape(self, level: int) -> tuple[int, int, int]:
        side = self.config.image_size // 2 ** min(level + 1, self.top)
        return self.config.channels * (1 if level == self.top else 3), side, side

    def _finest_level(self, downscale: int) -> int:
        scales = [2**level for level in range(self.top + 1)]
        if downscale not in scales:
            raise ValueError(f"downscale must be one of {scales}; got {downscale}")
        return scales.index(downscale)
