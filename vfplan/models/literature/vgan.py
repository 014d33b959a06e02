"""Video by two streams: a foreground that moves and its mask, over a background that stands still; adversarial.

After Vondrick, Pirsiavash and Torralba, "Generating Videos with Scene Dynamics", NIPS 2016, conditioned on a frame:

    x_t = m_t f_t + (1 - m_t) b

Departures: nothing of a frame may depend on later actions, so deconvolutions reach back in time only, are not strided
there and give any number of frames, and frames are normalised each by itself, never time or batches. What is painted
at a step sees the actions until then, through a GRU, and one latent for the whole video, where the conditional model
of the paper has neither. Frame 0 is the given one, painted too; rollouts leave it out. There is no likelihood.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor, nn

from vfplan.checks import within
from vfplan.models.base import Context, Noise, State
from vfplan.models.parts.adversary import Discriminator
from vfplan.models.parts.halving import halved
from vfplan.models.parts.planes import joined, planes
from vfplan.models.parts.pyramid import Encoder, PyramidConfig
from vfplan.models.parts.video_model import VideoModel
from vfplan.models.precision import Reducible
from vfplan.models.rows import Rows
from vfplan.models.trainable import Architecture
from vfplan.pixels import area_average

MASKED = -1.0  # the logit of every mask at the start


@dataclass(frozen=True)
class VganConfig(Architecture):
    """Architecture of VGAN; stored in checkpoints."""

    name: str = "vgan"
    past_frames: int = within(1, 1, 1)
    """It is conditioned on one frame."""
    pyramid: PyramidConfig = field(default_factory=PyramidConfig)
    """Of the encoder, and of both streams, which mirror it without skips."""
    code: int = within(64, 1, 16384)
    """Channels of the maps that the given frame is encoded to."""
    latent: int = within(16, 1, 16384)
    """Elements of the latent of a video."""
    hidden: int = within(32, 1, 16384)
    """Of the GRU that actions go through."""
    judge: tuple[int, ...] = within((16, 32, 64), 1, 16384)
    """Channels of the layers of the discriminator of videos."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.pyramid.side(self.image_size)
        halved(self.image_size, len(self.judge), f"for {len(self.judge)} widths of judge", least=1)


class CausalUp(nn.Module):
    """Doubles the sides of maps (B, C, T, y, x); each output sees the inputs of its own and the two earlier steps."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.spread = nn.ConvTranspose3d(inputs, outputs, (3, 4, 4), stride=(1, 2, 2), padding=(0, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, outputs, T, 2 y, 2 x)."""
        # What is spread beyond the last step belongs to the future.
        return self.spread(x)[:, :, : x.shape[2]]


class FrameNorm(nn.Module):
    """Groups of channels of maps (B, C, T, y, x), normalised within each frame."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(math.gcd(8, channels), channels)

    def forward(self, x: Tensor) -> Tensor:
        """Maps of the same shape."""
        return self.norm(x.transpose(1, 2).flatten(0, 1)).unflatten(0, (len(x), x.shape[2])).transpose(1, 2)


class Stream(Reducible):
    """Maps (B, inputs, T, y, x) to pictures (B, outputs, T, Y, X)."""

    def __init__(self, inputs: int, widths: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv3d(inputs, widths[-1], 1)]
        for before, after in zip(reversed(widths), (*reversed(widths[:-1]), outputs), strict=True):
            layers += [FrameNorm(before), nn.ReLU(), CausalUp(before, after)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Pictures of every step."""
        with self.autocast(x):
            return self.layers(x).to(x.dtype)


@dataclass(frozen=True)
class Scene:
    """What both streams paint."""

    foreground: Tensor
    """(B, T, C, Y, X) in [0, 1]."""
    mask: Tensor
    """(B, T, 1, Y, X) in [0, 1]."""
    background: Tensor
    """(B, 1, C, Y, X) in [0, 1]."""

    @property
    def frames(self) -> Tensor:
        """(B, T, C, Y, X) in [0, 1]."""
        return self.mask * self.foreground + (1 - self.mask) * self.background


class Vgan(VideoModel):
    """The generator of videos, and the discriminator that it learns from."""

    config: VganConfig

    def __init__(self, config: VganConfig) -> None:
        super().__init__(config)
        pyramid, side, channels = config.pyramid, config.pyramid.side(config.image_size), config.channels
        known = config.code + config.latent
        self.encoder = Encoder(pyramid, channels, config.code, side, flat=False)
        self.memory = nn.GRUCell(max(1, config.action_dim), config.hidden)
        self.moving = Stream(known + config.hidden, pyramid.widths, channels + 1)
        self.still = Stream(known, pyramid.widths, channels)
        self.judge = Discriminator(channels + config.action_dim, config.judge, video=True)
        last = cast(CausalUp, self.moving.layers[-1])
        nn.init.constant_(cast(Tensor, last.spread.bias)[-1:], MASKED)

    def encode(self, context: Context) -> Rows:
        """The code of the newest frame; of what was before, it knows nothing."""
        return Rows(self.code(self.images(context.frames[:, -1])))

    def code(self, images: Tensor) -> Tensor:
        """Maps (B, code, y, x) of images (B, C, Y, X) in [0, 1]."""
        return self.encoder(images - 0.5)[0]

    def paint(self, code: Tensor, actions: Tensor, latent: Tensor) -> Scene:
        """T + 1 frames: the one that was encoded, and those that follow actions (B, T, A) under a latent (B, z)."""
        known = joined(code, latent)
        memories = torch.stack([planes(memory, code.shape[2:]) for memory in self._memories(actions)], dim=2)
        moving = torch.cat([known[:, :, None].expand(-1, -1, memories.shape[2], -1, -1), memories], dim=1)
        foreground, mask = self.moving(moving).transpose(1, 2).sigmoid().split([self.config.channels, 1], dim=2)
        return Scene(foreground, mask, self.still(known[:, :, None]).transpose(1, 2).sigmoid())

    def sample_noise(self, rows: int, steps: int, rng: torch.Generator | None, *, downscale: int = 1) -> Rows:
        """Standard normal latents (B, z), one per video. Raises ValueError for a scale that does not divide."""
        self._require_scale(downscale)
        return Rows(self.normal((rows, self.config.latent), rng))

    def rollout(self, state: State, actions: Tensor, noise: Noise, *, downscale: int = 1) -> Tensor:
        """Images (B, T, C, y, x) in [0, 1] after actions (B, T, A): area averages of what is painted at full size."""
        assert isinstance(state, Rows) and isinstance(noise, Rows)
        self._require_scale(downscale)
        scene = self.paint(state.values, self.actions(actions), noise.values)
        return area_average(scene.frames[:, 1:], downscale)

    def decode(self, rollout: object, steps: list[int] | None = None) -> Tensor:
        """Images (B, T', C, y, x) of the chosen steps."""
        assert isinstance(rollout, Tensor)
        return rollout if steps is None else rollout[:, steps]

    def _memories(self, actions: Tensor) -> list[Tensor]:
        """What is known of the actions at each of T + 1 frames: (B, hidden), nothing at the first."""
        memory = actions.new_zeros(len(actions), self.config.hidden)
        memories = [memory]
        # Without actions, a one says that time passes.
        given = actions if self.config.action_dim else actions.new_ones(*actions.shape[:2], 1)
        for action in given.unbind(1):
            memory = self.memory(action, memory)
            memories.append(memory)
        return memories
