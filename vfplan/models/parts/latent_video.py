"""World models with latents per step: a prior that sees the past, and a posterior that also sees the next frame.

A system says how it begins, what its prior and posterior are, how it moves on and what it paints; how that becomes a
world model, with a bound on likelihoods, is said here. Context is encoded with the posterior's means, so that nothing
in it is random. Rollouts go on from their own images; the noise of the emission is not drawn.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from vfplan.checks import within
from vfplan.models.base import Bound, Context, LogProb, Noise, State
from vfplan.models.parts.emission import Emission, EmissionName
from vfplan.models.parts.gaussian import Gaussian
from vfplan.models.parts.video_model import VideoModel
from vfplan.models.parts.video_state import Inferred, Seen, VideoNoise, VideoState
from vfplan.models.precision import require_float32
from vfplan.models.trainable import Architecture
from vfplan.pixels import area_average

FIXED_NOISES = 8  # of `cell_log_prob`


@dataclass(frozen=True)
class LatentVideoConfig(Architecture):
    """What the configurations of all these models say."""

    past_frames: int = within(2, 1, 256)
    emission: EmissionName = "sigma"
    """What is said of each value: normal (sigma) or Laplace with one learned scale for all, normal with a scale of its
    own (gaussian); or of each pixel, that it is copied from near its place or painted anew (copy)."""


class LatentVideo(VideoModel):
    """A world model with latents.

    Args:
        config: what it is made from.
        latents: the shape of the latent of each level, coarsest first.
        emission: what is said of a frame.
    """

    config: LatentVideoConfig
    bound: Bound = "elbo"

    def __init__(self, config: LatentVideoConfig, latents: Sequence[tuple[int, ...]], emission: Emission) -> None:
        super().__init__(config)
        self.latents = tuple(latents)
        self.emission = emission

    @abstractmethod
    def look(self, image: Tensor) -> Seen:
        """Encode an image (B, C, Y, X) in [0, 1]."""

    @abstractmethod
    def start(self, seen: Seen) -> VideoState:
        """The memory when nothing but this was seen."""

    @abstractmethod
    def prior(self, state: VideoState, action: Tensor, above: tuple[Tensor, ...]) -> tuple[Gaussian, VideoState]:
        """What is expected of the next level's latent, given those `above` it, after action (B, A)."""

    @abstractmethod
    def posterior(
        self, state: VideoState, action: Tensor, seen: Seen, above: tuple[Tensor, ...]
    ) -> tuple[Gaussian, VideoState]:
        """The same given the frame that followed."""

    @abstractmethod
    def advance(self, state: VideoState, action: Tensor, latents: tuple[Tensor, ...]) -> tuple[Tensor, VideoState]:
        """Features of the next frame (B, ...) after action (B, A), and the memory one step on."""

    @abstractmethod
    def paint(self, features: Tensor, state: VideoState) -> Tensor:
        """What the emission is made of, (B, outputs, Y, X)."""

    def survey(self, state: VideoState, images: Tensor, actions: Tensor) -> VideoState:
        """The memory told of all images (B, T, C, Y, X) to be inferred, where a posterior must see them together."""
        return state

    def notice(self, state: VideoState, seen: Seen) -> VideoState:
        """The memory with a newer frame, known or imagined."""
        return replace(state, newest=seen)

    def known(self, state: VideoState, seen: Seen) -> VideoState:
        """The memory with a newer frame of the context."""
        return self.notice(state, seen)

    def encode(self, context: Context) -> VideoState:
        """Go through the context with the posterior's means."""
        images, actions = self.images(context.frames), self.actions(context.actions)
        state = self.start(self.look(images[:, 0]))
        for step in range(actions.shape[1]):
            seen = self.look(images[:, step + 1])
            inferred = self.infer(state, actions[:, step], seen, None)
            state = self.known(inferred.state, seen)
        return state

    def infer(self, state: VideoState, action: Tensor, seen: Seen, noise: Sequence[Tensor] | None) -> Inferred:
        """One step given what it led to; the latents are the posterior's means without noise."""
        latents: tuple[Tensor, ...] = ()
        priors, posteriors = [], []
        for level in range(len(self.latents)):
            prior, state = self.prior(state, action, latents)
            posterior, state = self.posterior(state, action, seen, latents)
            latents = (*latents, posterior.sample(None if noise is None else noise[level]))
            priors.append(prior)
            posteriors.append(posterior)
        features, state = self.advance(state, action, latents)
        return Inferred(latents, tuple(priors), tuple(posteriors), features, state)

    def imagine(self, state: VideoState, action: Tensor, noise: Sequence[Tensor]) -> tuple[Tensor, VideoState]:
        """One step under noise: features of the frame, and the memory in which that is not yet."""
        drawn = self.expect(state, action, noise)
        return drawn.features, drawn.state

    def expect(self, state: VideoState, action: Tensor, noise: Sequence[Tensor]) -> Inferred:
        """One step of which nothing is inferred: the posterior is the prior."""
        latents: tuple[Tensor, ...] = ()
        priors = []
        for drawn in noise:
            prior, state = self.prior(state, action, latents)
            latents = (*latents, prior.sample(drawn))
            priors.append(prior)
        features, state = self.advance(state, action, latents)
        return Inferred(latents, tuple(priors), tuple(priors), features, state)

    def sample_noise(self, rows: int, steps: int, rng: torch.Generator | None, *, downscale: int = 1) -> VideoNoise:
        """Standard normal noise of every level's latent; the same whatever the scale.

        Raises:
            ValueError: for a scale that does not divide the image.
        """
        self._require_scale(downscale)
        return VideoNoise(tuple(self.normal((rows, steps, *shape), rng) for shape in self.latents))

    def rollout(self, state: State, actions: Tensor, noise: Noise, *, downscale: int = 1) -> Tensor:
        """Images (B, T, C, y, x) in [0, 1] after actions (B, T, A): area averages of what is imagined at full size."""
        assert isinstance(state, VideoState) and isinstance(noise, VideoNoise)
        self._require_scale(downscale)
        actions, images = self.actions(actions), []
        for step, action in enumerate(actions.unbind(1)):
            features, state = self.imagine(state, action, noise.at(step))
            image = self.emission(self.paint(features, state), state.newest.image).image
            images.append(area_average(image, downscale))
            if step + 1 < actions.shape[1]:
                state = self.notice(state, self.look(image))
        return torch.stack(images, dim=1)

    def decode(self, rollout: object, steps: list[int] | None = None) -> Tensor:
        """Images (B, T', C, y, x) of the chosen steps."""
        assert isinstance(rollout, Tensor)
        return rollout if steps is None else rollout[:, steps]

    def log_prob(self, context: Context, actions: Tensor, frames: Tensor, rng: torch.Generator) -> LogProb:
        """Teacher-forced log-weight log p(x | z) + log p(z) - log q(z | x) of one z per step, drawn from the posterior.

        Its expectation is the evidence lower bound; many of them average to an importance-weighted one (Burda et al.,
        2016). Levels are the reconstruction, then each level of latents, finest first.

        Raises:
            ValueError: if the networks compute in a reduced precision.
        """
        require_float32(self)
        state, images, actions = self.encode(context), self.images(frames), self.actions(actions)
        noise, state = self.sample_noise(len(actions), actions.shape[1], rng), self.survey(state, images, actions)
        steps = []
        for step in range(frames.shape[1]):
            seen = self.look(images[:, step])
            inferred = self.infer(state, actions[:, step], seen, noise.at(step))
            emitted = self.emission(self.paint(inferred.features, inferred.state), inferred.state.newest.image)
            steps.append(torch.stack([emitted.log_prob(frames[:, step]), *reversed(inferred.log_ratios())], dim=1))
            state = self.notice(inferred.state, seen)
        levels = torch.stack(steps, dim=1)
        return LogProb(levels.sum(2), levels)

    def cell_log_prob(self, context: Context, action: Tensor, frame: Tensor) -> Tensor:
        """Log-probability (B, y, x) nats of each cell of uint8 frame (B, C, Y, X) after action (B, A).

        A cell is as large as a pixel of a thumbnail. The mean of its probabilities under fixed latents of the prior.

        Raises:
            ValueError: if the networks compute in a reduced precision.
        """
        require_float32(self)
        state, action, cells = self.encode(context), self.actions(action), []
        rng = torch.Generator(action.device).manual_seed(0)
        for _ in range(FIXED_NOISES):
            noise = self.sample_noise(1, 1, rng).map(lambda tensor: tensor.expand(len(frame), *tensor.shape[1:]))
            features, after = self.imagine(state, action, noise.at(0))
            emitted = self.emission(self.paint(features, after), after.newest.image)
            cells.append(area_average(emitted.log_mass(frame), self.coarsest) * self.coarsest**2)
        return torch.stack(cells).logsumexp(0) - math.log(FIXED_NOISES)
