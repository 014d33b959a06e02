"""Action-conditioned VideoFlow: a multi-scale flow per frame with an autoregressive latent prior.

After Kumar et al., "VideoFlow: A Conditional Flow-Based Model for Stochastic Video Generation", ICLR 2020, with the
same factorisation p(x_t | x_<t, a) = |det| prod_l p(z_t^l | z_<t^l, h_<=t^(l+1), a). Levels run from the finest
(0) to the top; h^(l+1) is the image that level l leaves to the coarser ones. This file holds what follows from the
factorisation; which levels and priors a model is made of is said in `architecture.py` and `architecture_2019.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

import torch
from torch import Tensor, nn

from vfplan.flows import Level, initialise_actnorms
from vfplan.models.base import Context, LogProb, Noise, State
from vfplan.models.precision import require_float32
from vfplan.models.trainable import Architecture, TrainableModel
from vfplan.models.videoflow.distributions import LatentDistribution, LatentNoise
from vfplan.models.videoflow.latent_prior import LatentPrior
from vfplan.models.videoflow.latents import LevelMemory, VideoFlowNoise, VideoFlowRollout, VideoFlowState, bounded
from vfplan.pixels import LOG_LEVELS, dequantise, to_unit


class VideoFlow(TrainableModel):
    """A world model with exact likelihoods, put together from levels, priors and a dequantiser.

    Args:
        config: what the parts were made from; stored in checkpoints.
        levels: the frame flow, finest first; the last is the top.
        priors: one per level.
        dequantiser: (frame, frame before, rng) -> (image, log q).
        area_averages: whether each level's coarser image is the area average of its input. Then the coarse levels alone
            are the model's exact marginal over thumbnails, rollouts may be downscaled, and the levels can be trained
            independently of each other.
    """

    bound: Literal["dequantised"] = "dequantised"
    reads_simulator = False

    def __init__(
        self,
        config: Architecture,
        levels: Sequence[Level],
        priors: Sequence[LatentPrior],
        dequantiser: nn.Module,
        *,
        area_averages: bool,
    ) -> None:
        super().__init__()
        self.config = config
        self.past_frames = config.past_frames
        self.action_dim = config.action_dim
        self.area_averages = area_averages
        self.levels = nn.ModuleList(levels)
        self.priors = nn.ModuleList(priors)
        self.dequantiser = dequantiser

    @property
    def coarsest(self) -> int:
        """The largest scale that rollouts may be downscaled by."""
        return 2**self.top if self.area_averages else 1

    def level(self, index: int) -> Level:
        """The level at `index`, 0 the finest."""
        return cast(Level, self.levels[index])

    def prior_of(self, level: int) -> LatentPrior:
        """What foretells the latent of a level."""
        return cast(LatentPrior, self.priors[level])

    @property
    def top(self) -> int:
        """Index of the coarsest level."""
        return len(self.levels) - 1

    def initialise(self, context: Context, actions: Tensor, frames: Tensor, rng: torch.Generator) -> None:
        """Set every activation normalisation that is not yet set, from one batch: an explicit step before training.

        The flow's own are set by all frames of the batch but the first ones, B P of them, 100 or more; the priors' by
        the latents of `frames` (B, 1, C, Y, X) after actions (B, 1, A). A model without such layers stays as it is.
        """

        def run() -> None:
            known, seen = context.frames[:, :-1].flatten(0, 1), context.frames[:, 1:].flatten(0, 1)
            before = torch.cat([known, context.frames[:, -1]])
            self.split(self.dequantiser(torch.cat([seen, frames[:, 0]]), before, rng)[0])
            self.log_prob(context, actions, frames, rng)

        initialise_actnorms(run, [self])

    def encode(self, context: Context, levels: Sequence[int] | None = None) -> VideoFlowState:
        """Run the flow on the context frames, each pixel at the middle of its bin; all levels by default.

        Raises:
            ValueError: if the model is to be told where the hand is, and the context does not say it.
        """
        if self.config.hand and context.hand is None:
            raise ValueError("this model has to be told where the hand is: the context has no hand")
        images = dequantise(context.frames)
        rows, past = images.shape[:2]
        memories: list[LevelMemory | None] = []
        for part in self.split(images.flatten(0, 1), levels):
            if part is None:
                memories.append(None)
                continue
            latent, coarse, _ = part
            shaped = None if coarse is None else coarse.unflatten(0, (rows, past))
            memories.append(LevelMemory(latent.unflatten(0, (rows, past)), shaped))
        return VideoFlowState(tuple(memories), context.actions, context.hand if self.config.hand else None)

    def split(
        self, images: Tensor, levels: Sequence[int] | None = None
    ) -> list[tuple[Tensor, Tensor | None, Tensor] | None]:
        """Latent, coarser image (None at the top) and log-det (B,) of images (B, C, Y, X) per level, finest first.

        None for a level that is not among `levels` (default: all).
        """
        wanted = range(self.top + 1) if levels is None else levels
        parts: list[tuple[Tensor, Tensor | None, Tensor] | None] = [None] * (self.top + 1)
        for index in range(max(wanted, default=-1) + 1):
            level = self.level(index)
            if index not in wanted:
                images = level.coarsen(images)
                continue
            parts[index] = latent, coarse, _ = level(images)
            images = latent if coarse is None else coarse
        return parts

    def latents(self, images: Tensor) -> tuple[Tensor, ...]:
        """The latents of images (B, C, Y, X) in [-0.5, 0.5), one per level, finest first."""
        return tuple(part[0] for part in self.split(images) if part is not None)

    def image(self, latents: Sequence[Tensor]) -> Tensor:
        """The images (B, C, Y, X) of one latent per level, finest first: the inverse of `latents`; not clamped."""
        image: Tensor | None = None
        for level, latent in reversed(list(enumerate(latents))):
            image = self.level(level).inverse(latent, image)
        assert image is not None
        return image

    def prior(self, level: int, state: VideoFlowState, action: Tensor, coarse: Tensor | None) -> LatentDistribution:
        """p(z_t^level | state, action (B, A) into frame t, coarser image (B, u, y, x) of frame t; None at the top)."""
        return self.priors[level](*self._conditions(level, state, action, coarse))

    def _conditions(
        self, level: int, state: VideoFlowState, action: Tensor, coarse: Tensor | None
    ) -> tuple[Tensor, Tensor | None, Tensor]:
        """What the prior of a level is given: past latents, coarser images, actions."""
        memory = state.levels[level]
        if memory is None:
            raise ValueError(f"the state was encoded without level {level}")
        actions = self.config.seen_actions(torch.cat([state.actions, action[:, None]], dim=1))
        if level == self.top and self.config.hand:
            assert state.hand is not None
            places = self.config.hand.follow(state.hand, action[:, None])
            return memory.latents, self.config.hand.maps(places, *memory.latents.shape[-2:]), actions
        if memory.coarse is None or coarse is None:
            return memory.latents, None, actions
        return memory.latents, torch.cat([memory.coarse, coarse[:, None]], dim=1), actions

    def sample_noise(self, rows: int, steps: int, rng: torch.Generator | None, *, downscale: int = 1) -> VideoFlowNoise:
        """Standard-normal noise for the levels that a rollout at `downscale` needs; without a generator none at all."""
        device = next(self.parameters()).device
        finest = self.finest_level(downscale)
        noise: list[LatentNoise | None] = [None] * finest
        for level in range(finest, self.top + 1):
            prior = self.prior_of(level)
            if rng is None:
                noise.append(prior.zero_noise(rows, steps, device))
            else:
                noise.append(prior.sample_noise(rows, steps, rng, device))
        return VideoFlowNoise(tuple(noise))

    def rollout(self, state: State, actions: Tensor, noise: Noise, *, downscale: int = 1) -> VideoFlowRollout:
        """Imagine T frames after actions (B, T, A): top level first, then each finer level given the coarser image.

        The sampled latents, not re-encoded frames, become the memory of the next step.
        """
        assert isinstance(state, VideoFlowState) and isinstance(noise, VideoFlowNoise)
        finest = self.finest_level(downscale)
        frames = []
        for step in range(actions.shape[1]):
            image, state = self.step(state, actions[:, step], noise.at(step), finest=finest)
            frames.append(image)
        return VideoFlowRollout(torch.stack(frames, dim=1), 2.0**finest)

    def step(
        self, state: VideoFlowState, action: Tensor, noise: Sequence[LatentNoise | None], *, finest: int
    ) -> tuple[Tensor, VideoFlowState]:
        """The image (B, C, y, x) of level `finest` after action (B, A), and the memory that includes it.

        `noise` has tensors (B, ...) for every level from `finest` to the top. Whatever the memory, the image is finite.
        """
        image: Tensor | None = None
        memories = list(state.levels)
        for level in range(self.top, finest - 1, -1):
            drawn, memory = noise[level], memories[level]
            if drawn is None or memory is None:
                raise ValueError(f"the noise was drawn without level {level}, which downscale={2**finest} needs")
            latent = self.prior_of(level).sample(*self._conditions(level, state, action, image), drawn)
            latent = bounded(latent, level)
            memories[level] = memory.push(latent, image)
            image = bounded(self.level(level).inverse(latent, image), level)
        assert image is not None
        return image, VideoFlowState(tuple(memories), *self.moved_on(state, action[:, None]))

    def moved_on(self, state: VideoFlowState, actions: Tensor) -> tuple[Tensor, Tensor | None]:
        """The actions (B, P - 1, A) and places of the hand (B, P, 2) to remember after actions (B, T, A)."""
        taken = torch.cat([state.actions, actions], dim=1)[:, actions.shape[1] :]
        if self.config.hand is None or state.hand is None:
            return taken, None
        return taken, self.config.hand.follow(state.hand, actions)[:, actions.shape[1] :]

    def decode(self, rollout: object, steps: list[int] | None = None) -> Tensor:
        """Images (B, T', C, y, x) in [0, 1] of the chosen steps."""
        assert isinstance(rollout, VideoFlowRollout)
        images = rollout.images if steps is None else rollout.images[:, steps]
        return to_unit(images / rollout.gain)

    def log_prob(self, context: Context, actions: Tensor, frames: Tensor, rng: torch.Generator) -> LogProb:
        """Teacher-forced lower bound on the log-probability of uint8 frames (B, T, C, Y, X), one dequantisation sample.

        Frame t is scored given the true frames before it (context frames cost nothing); a hand is taken to follow its
        actions. What dequantisation costs, log 256 nats per dimension plus log q, is spread over the levels by their
        number of dimensions.

        Raises:
            ValueError: if the networks compute in a reduced precision.
        """
        require_float32(self)
        history = torch.cat([context.frames, frames], dim=1)[:, :-1]
        taken, hand = torch.cat([context.actions, actions], dim=1)[:, :-1], context.hand
        if self.config.hand and hand is not None:
            hand = self.config.hand.follow(hand, actions[:, :-1])
        memory = self.encode(Context(history, taken, hand=hand))
        per_frame = []
        for step in range(frames.shape[1]):
            state = memory.window(step, self.past_frames)
            image, log_q = self.dequantiser(frames[:, step], history[:, step + self.past_frames - 1], rng)
            per_frame.append(self.level_log_probs(state, actions[:, step], image, log_q))
        levels = torch.stack(per_frame, dim=1)
        return LogProb(levels.sum(2), levels)

    def level_log_probs(self, state: VideoFlowState, action: Tensor, image: Tensor, log_q: Tensor) -> Tensor:
        """Log-probability (B, L) nats of each level of a dequantised frame (B, C, Y, X), given memory and action."""
        per_level = []
        for level, part in enumerate(self.split(image)):
            assert part is not None
            latent, coarse, log_det = part
            dims = self.level_dims(level)
            price = dims * (LOG_LEVELS + log_q / image[0].numel())
            per_level.append(self.prior(level, state, action, coarse).log_prob(latent) + log_det - price)
        return torch.stack(per_level, dim=1)

    def cell_log_prob(self, context: Context, action: Tensor, frame: Tensor) -> Tensor:
        """Log-density (B, y, x) nats of each cell of the top level of uint8 frame (B, C, Y, X) after action (B, A).

        A cell is a column of the top latent; its channels are summed, and every pixel lies at the middle of its bin, so
        that nothing is random. The cells sum to the prior's log-density of the latent where its elements are
        independent; a mixture of whole latents leaves out the price of the component (`Mixture.elements`). What is the
        same for all frames or belongs to no cell, dequantisation and log-det, is left out too.

        Raises:
            ValueError: if the networks compute in a reduced precision.
        """
        require_float32(self)
        only = [self.top]
        part = self.split(dequantise(frame), only)[self.top]
        assert part is not None
        return self.prior(self.top, self.encode(context, only), action, None).elements(part[0]).sum(1)

    def level_dims(self, level: int) -> int:
        """Number of dimensions of one level's latent."""
        channels, rows, columns = self.latent_shape(level)
        return channels * rows * columns

    def latent_shape(self, level: int) -> tuple[int, int, int]:
        """(c, y, x) of one level's latent."""
        return self.prior_of(level).latent_shape

    def finest_level(self, downscale: int) -> int:
        """The finest level that rollouts at `downscale` need. Raises ValueError for a scale that no level has."""
        scales = [2**level for level in range(self.top + 1)] if self.area_averages else [1]
        if downscale not in scales:
            raise ValueError(f"downscale must be one of {scales}; got {downscale}")
        return scales.index(downscale)
