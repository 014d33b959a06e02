"""Stochastic variational video prediction (SV2P), and CDNA, which is the same without latents.

After Babaeizadeh et al., "Stochastic Variational Video Prediction", ICLR 2018, on the network of Finn, Goodfellow and
Levine, NIPS 2016: the pixels of the newest frame are moved by learned kernels and composed with that frame and a
painted one; a map of latents, of a video or of a step, says what the past does not. Departures: the tower that infers
them sees pairs of frames with the action between, averaged over the video, so that videos may have any length; it
begins with the newest known frame, and the context is gone through with latents of zero, the prior's mean; the robot's
state is not seen; all convolutions have 3x3 places, and skips come after the memories.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from vfplan.checks import within
from vfplan.models.parts.composition import Composition, Masks
from vfplan.models.parts.emission import build_emission
from vfplan.models.parts.gaussian import Gaussian, GaussianHead, Shared
from vfplan.models.parts.halving import halved
from vfplan.models.parts.latent_video import LatentVideo, LatentVideoConfig
from vfplan.models.parts.pair_encoder import PairEncoder
from vfplan.models.parts.planes import planes
from vfplan.models.parts.recurrent_unet import RecurrentUNet, Scale
from vfplan.models.parts.video_state import Seen, VideoNoise, VideoState
from vfplan.models.parts.warp import Cdna, Dna

SCALES = 3


@dataclass(frozen=True)
class Sv2pConfig(LatentVideoConfig):
    """Architecture of SV2P; stored in checkpoints."""

    name: str = "sv2p"
    latent: Literal["time_invariant", "per_step", "none"] = "time_invariant"
    """One map of latents for a whole video, one for each step, or none, which is CDNA."""
    latent_channels: int = within(1, 1, 1024)
    """Of that map, which is an eighth of the image per side."""
    motion: Literal["cdna", "dna"] = "cdna"
    """Kernels that are the same for all places (cdna), or a kernel for each pixel (dna)."""
    transformations: int = within(10, 1, 256)
    """Kernels of cdna."""
    width: int = within(8, 1, 4096)
    """Channels of the finest maps; the coarsest have four times as many. Published: 32."""

    def __post_init__(self) -> None:
        super().__post_init__()
        halved(self.image_size, SCALES, f"{SCALES} times")


@dataclass(frozen=True)
class WindowState(VideoState):
    """What is remembered where one latent serves a whole video."""

    inferred: Shared = field(kw_only=True)
    """The latent given the video that is to be inferred; N(0, I) until there is one."""


class Sv2p(LatentVideo):
    """SV2P and CDNA.

    Where one latent serves a video, its cost is spread evenly over the frames that are scored together: then only the
    sum over these is a bound, for what the first one costs depends on the last one.
    """

    config: Sv2pConfig

    def __init__(self, config: Sv2pConfig) -> None:
        side, n, channels = config.image_size >> SCALES, config.width, config.channels
        latents = [] if config.latent == "none" else [(config.latent_channels, side, side)]
        super().__init__(config, latents, build_emission(config.emission, channels, config.image_size))
        told = config.action_dim + sum(shape[0] for shape in latents)
        down = [Scale(n, n, 2), Scale(n, 2 * n, 2), Scale(2 * n, 4 * n, 1)]
        up = [Scale(4 * n, 2 * n, 1), Scale(2 * n, n, 1), Scale(n)]
        self.trunk = RecurrentUNet(channels, down, up, config.image_size, coarsest=told)
        mover = Cdna(4 * n * side**2, config.transformations) if config.motion == "cdna" else Dna(n)
        self.composition = Composition(
            mover, Masks(n, mover.count + 2), nn.Conv2d(n, channels, 1), n, channels, self.emission
        )
        self.bound = "elbo" if latents else "exact"
        if latents:
            self.tower = PairEncoder(channels, config.action_dim, n)
            layer = partial(nn.Conv2d, self.tower.outputs, kernel_size=3, padding=1)
            self.posterior_head = GaussianHead(layer, config.latent_channels)

    def look(self, image: Tensor) -> Seen:
        """An image (B, C, Y, X) in [0, 1], of which nothing is said before the action is known."""
        return Seen(image, image.flatten(1)[:, :0])

    def start(self, seen: Seen) -> VideoState:
        """The memory when nothing but this was seen."""
        rows = len(seen.image)
        carries = self.trunk.start(rows)
        if self.config.latent != "time_invariant":
            return VideoState(seen, carries)
        zeros = seen.image.new_zeros(rows, *self.latents[0])
        return WindowState(seen, carries, inferred=Shared(zeros, zeros, zeros.new_ones(rows)))

    def survey(self, state: VideoState, images: Tensor, actions: Tensor) -> VideoState:
        """The memory told of the images (B, T, C, Y, X) that actions (B, T, A) led to: what they say of the latent."""
        if not isinstance(state, WindowState):
            return state
        before = torch.cat([state.newest.image[:, None], images[:, :-1]], dim=1)
        maps = self.tower(before.flatten(0, 1), actions.flatten(0, 1), images.flatten(0, 1))
        found = self.posterior_head(maps.unflatten(0, images.shape[:2]).mean(1))
        steps = torch.full_like(found.mean[:, 0, 0, 0], images.shape[1])
        return replace(state, inferred=Shared(found.mean, found.log_std, steps))

    def prior(self, state: VideoState, action: Tensor, above: tuple[Tensor, ...]) -> tuple[Gaussian, VideoState]:
        """N(0, I)."""
        zeros = action.new_zeros(len(action), *self.latents[0])
        if isinstance(state, WindowState):
            return Shared(zeros, zeros, state.inferred.steps), state
        return Gaussian(zeros, zeros), state

    def posterior(
        self, state: VideoState, action: Tensor, seen: Seen, above: tuple[Tensor, ...]
    ) -> tuple[Gaussian, VideoState]:
        """The same given the frame that followed, or all of a surveyed video."""
        if isinstance(state, WindowState):
            return state.inferred, state
        return self.posterior_head(self.tower(state.newest.image, action, seen.image)), state

    def advance(self, state: VideoState, action: Tensor, latents: tuple[Tensor, ...]) -> tuple[Tensor, VideoState]:
        """What the emission of the next frame is made of, and the memory one step on."""
        last, told = state.newest.image, planes(action, [self.trunk.side] * 2)
        code, maps, carries = self.trunk(last - 0.5, action[:, :0], state.carries, (told, *latents))
        return self.composition(code, maps, (last,)), replace(state, carries=carries)

    def paint(self, features: Tensor, state: VideoState) -> Tensor:
        """What the emission is made of, (B, outputs, Y, X): composed already."""
        return features

    def sample_noise(self, rows: int, steps: int, rng: torch.Generator | None, *, downscale: int = 1) -> VideoNoise:
        """Standard normal noise of the latents; the same at every step where one serves them all."""
        if self.config.latent != "time_invariant":
            return super().sample_noise(rows, steps, rng, downscale=downscale)
        once = super().sample_noise(rows, 1, rng, downscale=downscale)
        return once.map(lambda tensor: tensor.expand(-1, steps, *tensor.shape[2:]))
