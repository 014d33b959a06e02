"""A video as pictures that move over a background: each component has a content, drawn once, and a pose that adds up.

After Hsieh et al., "Learning to Decompose and Disentangle Representations for Video Prediction" (DDPAE), NIPS 2018:

    pose_{t+1} = pose_t + b,   b ~ q(b | past, a),   x_{t+1} = layers of T(picture_i, pose_i) over a background

Departures: layers have an opacity and lie over a background that is painted from the newest frame, for a clamped sum
needs black ones; the transition sees actions, for every component, since it alone can tell which of them follow; what
is expected of b is the last known one and a correction, so that steady motion need not be learned; in known frames,
poses are found frame by frame and have no spread. The background has no skips, or it would be the last frame, with the
objects in it. No b ever sees the frame that it leads to: of several futures one is learned that is broad, or their
mean, and the likelihood is bounded by Jensen's inequality alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor, nn

from vfplan.checks import within
from vfplan.flows.initialisation import start_at_zero
from vfplan.models.base import Context, LogProb, Noise, State
from vfplan.models.parts.emission import OneScale
from vfplan.models.parts.emitted import Independent
from vfplan.models.parts.gaussian import Gaussian
from vfplan.models.parts.halving import halved
from vfplan.models.parts.painter import Painter
from vfplan.models.parts.pyramid import Encoder, PyramidConfig
from vfplan.models.parts.recurrent import Lstm
from vfplan.models.parts.rows import Rows
from vfplan.models.parts.sprites import Sprites
from vfplan.models.parts.video_model import VideoModel
from vfplan.models.parts.video_state import VideoNoise
from vfplan.models.precision import require_float32
from vfplan.models.trainable import Architecture
from vfplan.pixels import area_average

AWAY = 0.4
"""Of the middle of the image, where components start to look, of half a side."""

STEP = 0.1
"""Unit of b, of half a side: the standard deviation of its prior."""

FIRST_STEP = 0.02
"""Standard deviation of b at the start, of half an image's side."""


@dataclass(frozen=True)
class DdpaeConfig(Architecture):
    """Architecture of DDPAE; stored in checkpoints."""

    name: str = "ddpae"
    past_frames: int = within(2, 1, 256)
    components: int = within(2, 1, 64)
    """N."""
    pyramid: PyramidConfig = field(default_factory=lambda: PyramidConfig(widths=(8, 16, 32, 48)))
    """Of the encoder of frames, and of the painter of the background."""
    code: int = within(64, 1, 16384)
    """Elements of the vector that a frame is encoded to."""
    hidden: int = within(64, 1, 16384)
    """Of the LSTMs that find components and that move them."""
    content: int = within(32, 1, 16384)
    """Elements of the content of a component."""
    picture: PyramidConfig = field(default_factory=lambda: PyramidConfig(widths=(16, 32)))
    """Of what encodes and paints pictures."""
    picture_side: int = within(16, 1, 4096)
    """Pixels."""
    size: float = within(0.25, 0.001, 1)
    """Of a component before anything is seen, in sides of the image."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.pyramid.side(self.image_size)
        scales = len(self.picture.widths)
        halved(self.picture_side, scales, f"for {scales} picture.widths", called="picture_side")


@dataclass(frozen=True)
class DdpaeState(Rows):
    """What a context comes to."""

    pose: Tensor
    """(B, N, 3): logarithm of the size in units of the usual one, x, y."""
    step: Tensor
    """(B, N, 3), how it changed last in the known frames."""
    content: Gaussian
    """(B, N, content)."""
    background: Tensor
    """(B, C, Y, X) in about [0, 1]."""
    carry: Tensor
    """(B, N, ...) of the LSTM that moves components."""


@dataclass(frozen=True)
class DdpaeRollout:
    """Poses (B, T, N, 3) of pictures (B, N, C + 1, y, x), not composited yet."""

    poses: Tensor
    pictures: Tensor
    background: Tensor
    downscale: int


class Ddpae(VideoModel):
    """Components that are found in the known frames, then moved."""

    config: DdpaeConfig
    bound: Literal["elbo"] = "elbo"

    def __init__(self, config: DdpaeConfig) -> None:
        super().__init__(config)
        side, channels, hidden = config.pyramid.side(config.image_size), config.channels, config.hidden
        self.encoder = Encoder(config.pyramid, channels, config.code, side, flat=True)
        self.background = Painter(config.code, config.pyramid.widths, channels, side)
        self.finder = Lstm(config.code + hidden, hidden, 1)
        self.to_pose = nn.Linear(hidden, 3)
        self.sprites = Sprites(
            config.picture, channels, config.content, hidden, side=config.picture_side, size=config.size
        )
        self.mover = Lstm(6 + config.content + config.action_dim, hidden, 1)
        self.next_step = nn.Linear(hidden, 6)
        self.emission = OneScale(channels, laplace=False)
        start_at_zero(self.next_step)
        self.register_buffer("homes", _homes(config.components), False)
        nn.init.constant_(self.next_step.bias[3:], math.log(FIRST_STEP))

    def encode(self, context: Context) -> DdpaeState:
        """Find the components in the known frames, at the means of their poses."""
        images = self.images(context.frames)
        return self.state(images, self.track(images), self.actions(context.actions))

    def track(self, images: Tensor) -> Tensor:
        """Poses (B, P, N, 3) in images (B, P, C, Y, X): each component sees the frames, and the one found before it."""
        carries = [self.finder.start(len(images))] * self.config.components
        homes = self.get_buffer("homes")
        frames = []
        for image in images.unbind(1):
            code, y = self.encoder(image - 0.5)[0], images.new_zeros(len(images), self.config.hidden)
            found = []
            for component, carry in enumerate(carries):
                y, carries[component] = self.finder(torch.cat([code, y], dim=1), carry)
                found.append(homes[component] + self.to_pose(y).tanh())
            frames.append(torch.stack(found, dim=1))
        return torch.stack(frames, dim=1)

    def state(self, images: Tensor, poses: Tensor, actions: Tensor) -> DdpaeState:
        """What is known after images (B, P, C, Y, X) with components at poses (B, P, N, 3)."""
        background = 0.5 + self.background(self.encoder(images[:, -1] - 0.5)[0])
        content = self.sprites.contents(images, poses)
        carry = self.mover.start(len(images) * self.config.components).unflatten(0, (len(images), -1))
        steps = torch.cat([torch.zeros_like(poses[:, :1]), poses.diff(dim=1)], dim=1)
        state = DdpaeState(poses[:, 0], steps[:, 0], content, background, carry)
        for step, action in enumerate(actions.unbind(1)):
            _, carry = self.transition(state, content.mean, action)
            state = replace(state, pose=poses[:, step + 1], step=steps[:, step + 1], carry=carry)
        return state

    def transition(self, state: DdpaeState, content: Tensor, action: Tensor) -> tuple[Gaussian, Tensor]:
        """What is expected of the next b (B, N, 3) after action (B, A), and the carry after that."""
        given = action[:, None].expand(-1, self.config.components, -1)
        seen = torch.cat([state.pose, state.step, content, given], dim=2)
        y, carry = self.mover(seen.flatten(0, 1), state.carry.flatten(0, 1))
        correction, log_std = self.next_step(y).unflatten(0, seen.shape[:2]).chunk(2, dim=2)
        return Gaussian(state.step + STEP * correction, log_std.clamp(-7, 0)), carry.unflatten(0, seen.shape[:2])

    def advance(self, state: DdpaeState, content: Tensor, action: Tensor, noise: Tensor) -> tuple[DdpaeState, Gaussian]:
        """One step under noise (B, N, 3), and what its b was drawn from."""
        expected, carry = self.transition(state, content, action)
        step = expected.sample(noise)
        return replace(state, pose=state.pose + step, carry=carry), expected

    def emitted(self, image: Tensor) -> Independent:
        """The distribution of a frame of this expected image."""
        return self.emission(image - 0.5, image)

    def sample_noise(self, rows: int, steps: int, rng: torch.Generator | None, *, downscale: int = 1) -> VideoNoise:
        """Standard normal noise of contents, one per rollout, and of poses. Raises ValueError for a bad scale."""
        self._require_scale(downscale)
        count, content = self.config.components, self.config.content
        return VideoNoise((self.normal((rows, 1, count, content), rng), self.normal((rows, steps, count, 3), rng)))

    def rollout(self, state: State, actions: Tensor, noise: Noise, *, downscale: int = 1) -> DdpaeRollout:
        """Poses after actions (B, T, A), and the pictures that have them."""
        assert isinstance(state, DdpaeState) and isinstance(noise, VideoNoise)
        self._require_scale(downscale)
        content, poses = state.content.sample(noise.levels[0][:, 0]), []
        for step, action in enumerate(self.actions(actions).unbind(1)):
            state, _ = self.advance(state, content, action, noise.levels[1][:, step])
            poses.append(state.pose)
        return DdpaeRollout(torch.stack(poses, dim=1), self.sprites.pictures(content), state.background, downscale)

    def decode(self, rollout: object, steps: list[int] | None = None) -> Tensor:
        """Images (B, T', C, y, x) in [0, 1] of the chosen steps."""
        assert isinstance(rollout, DdpaeRollout)
        poses = rollout.poses if steps is None else rollout.poses[:, steps]
        images = (self.sprites.over(rollout.background, rollout.pictures, pose).clamp(0, 1) for pose in poses.unbind(1))
        return torch.stack([area_average(image, rollout.downscale) for image in images], dim=1)

    def log_prob(self, context: Context, actions: Tensor, frames: Tensor, rng: torch.Generator) -> LogProb:
        """Score log p(x | z) of one z per frame, drawn from what is expected after the P true frames before it.

        Its expectation is a lower bound by Jensen's inequality; many of them average to a tighter one.

        Raises:
            ValueError: if the networks compute in a reduced precision.
        """
        require_float32(self)
        past, found = self.past_frames, []
        known = torch.cat([context.frames, frames], dim=1)
        led = torch.cat([context.actions, actions], dim=1)
        for step in range(frames.shape[1]):
            state = self.encode(Context(known[:, step : step + past], led[:, step : step + past - 1]))
            rollout = self.rollout(state, actions[:, step : step + 1], self.sample_noise(len(frames), 1, rng))
            image = self.sprites.over(rollout.background, rollout.pictures, rollout.poses[:, 0])
            found.append(self.emitted(image).log_prob(frames[:, step]))
        nats = torch.stack(found, dim=1)
        return LogProb(nats, nats[..., None])


def _homes(components: int) -> Tensor:
    """Poses (N, 3) that components start from, on a circle: where all start alike, one takes everything."""
    angles = 2 * math.pi * torch.arange(components) / components
    return torch.stack([torch.zeros(components), -angles.cos(), angles.sin()], dim=1) * (AWAY if components > 1 else 0)
