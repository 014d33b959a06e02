"""The variational half of stochastic adversarial video prediction (SAVP-VAE).

After Lee et al., "Stochastic Adversarial Video Prediction", 2018: a U-Net of convolutional LSTMs moves the newest frame
by a few kernels and composes that with the newest frame as it is, the first one and a painted one. The latent of a step
is inferred from its two frames; an LSTM smooths latents over time before they, and the action, are shown to every
layer. Departures: what the LSTM says is added to the latent of the step instead of replacing it, or too little of that
arrives and the latents are left unused (`test_savp_vae.py`); the posterior is told the action; all channels
and places are normalised together instead of each channel, for a scale may have a single place; kernels are those of
`parts/warp.py`; the learning rate falls by half a cosine or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from vfplan.checks import within
from vfplan.models.parts.composition import Composition, Masks
from vfplan.models.parts.emission import Emission, build_emission
from vfplan.models.parts.gaussian import Gaussian, GaussianHead
from vfplan.models.parts.halving import halved
from vfplan.models.parts.latent_video import LatentVideo, LatentVideoConfig
from vfplan.models.parts.pair_encoder import PairEncoder
from vfplan.models.parts.recurrent import Lstm
from vfplan.models.parts.recurrent_unet import RecurrentUNet, Scale
from vfplan.models.parts.video_state import Seen, VideoState
from vfplan.models.parts.warp import Cdna

SCALES = 3


@dataclass(frozen=True)
class SavpVaeConfig(LatentVideoConfig):
    """Architecture of SAVP; stored in checkpoints."""

    name: str = "savp_vae"
    prior: Literal["fixed", "learned"] = "fixed"
    """fixed: N(0, I); learned: an LSTM that sees the first and the newest frame of every step, and the action."""
    latent: int = within(8, 1, 16384)
    """Elements of the latent of a step."""
    transformations: int = within(4, 1, 256)
    """Kernels."""
    width: int = within(8, 1, 4096)
    """Channels of the finest maps; the coarsest have four times as many. Published: 32."""
    encoder: int = within(8, 1, 4096)
    """The same of what infers latents. Published: 64."""

    def __post_init__(self) -> None:
        super().__post_init__()
        halved(self.image_size, SCALES, f"{SCALES} times")


class SavpGenerator(nn.Module):
    """What a frame looks like after an action, given a latent: all that imagining takes, whatever it is trained by."""

    def __init__(self, config: SavpVaeConfig, emission: Emission) -> None:
        super().__init__()
        n, channels = config.width, config.channels
        down = [Scale(n, n, 1), Scale(2 * n, 2 * n, 1), Scale(4 * n, 4 * n, 1)]
        up = [Scale(2 * n, 2 * n, 1), Scale(n, n, 1), Scale(n)]
        self.smooth = Lstm(config.latent, config.latent, 1)
        told = config.action_dim + config.latent
        self.trunk = RecurrentUNet(2 * channels, down, up, config.image_size, everywhere=told)
        mover = Cdna(4 * n * self.trunk.side**2, config.transformations)
        masks = Masks(n, mover.count + 3, channels=channels, kernel=3)
        before = nn.Sequential(nn.Conv2d(n, n, 3, padding=1), nn.GroupNorm(1, n), nn.ReLU())
        paint = nn.Sequential(before, nn.Conv2d(n, channels, 3, padding=1))
        self.composition = Composition(mover, masks, paint, n, channels, emission)

    def start(self, rows: int) -> tuple[Tensor, ...]:
        """The carries before anything is seen."""
        return (self.smooth.start(rows), *self.trunk.start(rows))

    def forward(
        self, newest: Tensor, first: Tensor, action: Tensor, latent: Tensor, carries: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """What the emission of the next frame is made of, and the carries.

        Args:
            newest: image (B, C, Y, X) in [0, 1].
            first: another, of the context.
            action: (B, A).
            latent: (B, z).
            carries: of the step before.
        """
        smoothed, carry = self.smooth(latent, carries[0])
        told = torch.cat([action, latent + smoothed], dim=1)
        code, maps, after = self.trunk(torch.cat([newest, first], dim=1) - 0.5, told, carries[1:])
        return self.composition(code, maps, (newest, first)), (carry, *after)


class SavpVae(LatentVideo):
    """SAVP's generator, and what infers its latents."""

    config: SavpVaeConfig

    def __init__(self, config: SavpVaeConfig) -> None:
        emission = build_emission(config.emission, config.channels, config.image_size, others=1)
        super().__init__(config, [(config.latent,)], emission)
        seen, vector = (config.channels, config.action_dim, config.encoder), 4 * config.encoder
        self.generator = SavpGenerator(config, emission)
        self.encoder = PairEncoder(*seen)
        self.posterior_head = GaussianHead(partial(nn.Linear, vector), config.latent)
        if config.prior == "learned":
            self.prior_encoder = PairEncoder(*seen)
            self.prior_net = Lstm(vector, vector, 1)
            self.prior_head = GaussianHead(partial(nn.Linear, vector), config.latent)

    def look(self, image: Tensor) -> Seen:
        """An image (B, C, Y, X) in [0, 1], of which nothing is said before the action is known."""
        return Seen(image, image.flatten(1)[:, :0])

    def start(self, seen: Seen) -> VideoState:
        """The memory when nothing but this was seen: the first frame."""
        rows = len(seen.image)
        prior = (self.prior_net.start(rows),) if self.config.prior == "learned" else ()
        return VideoState(seen, (*self.generator.start(rows), *prior), (seen.image,))

    def prior(self, state: VideoState, action: Tensor, above: tuple[Tensor, ...]) -> tuple[Gaussian, VideoState]:
        """What is expected of the latent after action (B, A)."""
        if self.config.prior == "fixed":
            return Gaussian.standard(action.new_zeros(len(action), self.config.latent)), state
        *carries, carry = state.carries
        maps = self.prior_encoder(state.shown[0], action, state.newest.image)
        y, carry = self.prior_net(maps.mean((2, 3)), carry)
        return self.prior_head(y), replace(state, carries=(*carries, carry))

    def posterior(
        self, state: VideoState, action: Tensor, seen: Seen, above: tuple[Tensor, ...]
    ) -> tuple[Gaussian, VideoState]:
        """The same given the frame that followed."""
        maps = self.encoder(state.newest.image, action, seen.image)
        return self.posterior_head(maps.mean((2, 3))), state

    def advance(self, state: VideoState, action: Tensor, latents: tuple[Tensor, ...]) -> tuple[Tensor, VideoState]:
        """What the emission of the next frame is made of, and the memory one step on."""
        prior = state.carries[-1:] if self.config.prior == "learned" else ()
        carries = state.carries[: len(state.carries) - len(prior)]
        output, carries = self.generator(state.newest.image, state.shown[0], action, latents[0], carries)
        return output, replace(state, carries=(*carries, *prior))

    def paint(self, features: Tensor, state: VideoState) -> Tensor:
        """What the emission is made of, (B, outputs, Y, X): composed already."""
        return features
