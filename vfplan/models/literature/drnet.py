"""Disentangled representations: what a video shows, and where in it everything is; a deterministic model.

After Denton and Birodkar, "Unsupervised Learning of Disentangled Representations from Video", NIPS 2017: a content code
that is the same all along a video, with skips, and a pose code that differs from frame to frame; a frame is decoded
from the content of one and the pose of another, and an LSTM continues the poses. Departures: the LSTM sees actions,
groups of channels are normalised instead of batches. A rollout is of poses; only the frames that are asked for are
painted. There is no likelihood: nothing is random, and the mean of several futures is the mean of their poses.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from vfplan.checks import within
from vfplan.models.base import Context, Noise, State
from vfplan.models.parts.pyramid import Decoder, Encoder, PyramidConfig
from vfplan.models.parts.recurrent import Lstm
from vfplan.models.parts.rows import Rows
from vfplan.models.parts.video_model import VideoModel
from vfplan.models.rows import NoNoise
from vfplan.models.trainable import Architecture
from vfplan.pixels import area_average


@dataclass(frozen=True)
class DrnetConfig(Architecture):
    """Architecture of DRNET; stored in checkpoints."""

    name: str = "drnet"
    past_frames: int = within(2, 1, 256)
    pyramid: PyramidConfig = field(default_factory=PyramidConfig)
    content: int = within(64, 1, 16384)
    """Elements of the code of what there is."""
    pose: int = within(8, 1, 16384)
    """Elements of the code of where it is."""
    hidden: int = within(128, 1, 16384)
    """Of the LSTM."""
    layers: int = within(2, 1, 16)
    """Of the LSTM."""
    judge: int = within(64, 1, 16384)
    """Hidden units of the network that is to tell from two poses whether they are of one video."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.pyramid.side(self.image_size)


@dataclass(frozen=True)
class Content(Rows):
    """What a frame shows."""

    code: Tensor
    """(B, content) within (-1, 1)."""
    skips: tuple[Tensor, ...]
    """Finest first."""


@dataclass(frozen=True)
class DrnetState(Rows):
    """What a context comes to."""

    content: Content
    pose: Tensor
    """(B, pose) within (-1, 1), of the newest frame."""
    carry: Tensor
    """Of the LSTM."""


@dataclass(frozen=True)
class DrnetRollout:
    """Poses (B, T, pose) of frames that are not painted yet."""

    content: Content
    poses: Tensor
    downscale: int


class Drnet(VideoModel):
    """DRNET, and the network that its poses should leave without a clue."""

    config: DrnetConfig

    def __init__(self, config: DrnetConfig) -> None:
        super().__init__(config)
        pyramid, side = config.pyramid, config.pyramid.side(config.image_size)
        both = config.content + config.pose
        self.content_encoder = Encoder(pyramid, config.channels, config.content, side, flat=True)
        self.pose_encoder = Encoder(pyramid, config.channels, config.pose, side, flat=True)
        self.decoder = Decoder(pyramid, config.channels, both, side, flat=True)
        self.memory = Lstm(both + config.action_dim, config.hidden, config.layers)
        self.to_pose = nn.Linear(config.hidden, config.pose)
        self.scenes = nn.Sequential(
            nn.Linear(2 * config.pose, config.judge),
            nn.ReLU(),
            nn.Linear(config.judge, config.judge),
            nn.ReLU(),
            nn.Linear(config.judge, 1),
        )

    def contents(self, images: Tensor) -> Content:
        """Of images (B, C, Y, X) in [0, 1]."""
        return Content(*self.content_encoder(images - 0.5))

    def poses(self, images: Tensor) -> Tensor:
        """Of images (B, ..., C, Y, X) in [0, 1]: (B, ..., pose)."""
        leading = images.shape[:-3]
        return self.pose_encoder(images.flatten(0, -4) - 0.5)[0].unflatten(0, leading)

    def paint(self, content: Content, pose: Tensor) -> Tensor:
        """Images (B, C, Y, X), of about [0, 1], of what is where."""
        return 0.5 + self.decoder(torch.cat([content.code, pose], dim=1), content.skips)

    def encode(self, context: Context) -> DrnetState:
        """The content of the newest frame, and the LSTM after all of them."""
        images = self.images(context.frames)
        return self.read(self.contents(images[:, -1]), self.poses(images), self.actions(context.actions))

    def read(self, content: Content, poses: Tensor, actions: Tensor) -> DrnetState:
        """The state after known poses (B, P, pose), with actions (B, P - 1, A) between them."""
        state = DrnetState(content, poses[:, 0], self.memory.start(len(poses)))
        for step, action in enumerate(actions.unbind(1)):
            state = replace(self.advance(state, action), pose=poses[:, step + 1])
        return state

    def advance(self, state: DrnetState, action: Tensor) -> DrnetState:
        """The state with the pose that is expected after action (B, A)."""
        y, carry = self.memory(torch.cat([state.pose, state.content.code, action], dim=1), state.carry)
        return DrnetState(state.content, self.to_pose(y).tanh(), carry)

    def sample_noise(self, rows: int, steps: int, rng: torch.Generator | None, *, downscale: int = 1) -> NoNoise:
        """Nothing: it is always sure. Raises ValueError for a scale that does not divide the image."""
        self._require_scale(downscale)
        return NoNoise()

    def rollout(self, state: State, actions: Tensor, noise: Noise, *, downscale: int = 1) -> DrnetRollout:
        """Poses after actions (B, T, A)."""
        assert isinstance(state, DrnetState)
        self._require_scale(downscale)
        poses = []
        for action in self.actions(actions).unbind(1):
            state = self.advance(state, action)
            poses.append(state.pose)
        return DrnetRollout(state.content, torch.stack(poses, dim=1), downscale)

    def decode(self, rollout: object, steps: list[int] | None = None) -> Tensor:
        """Images (B, T', C, y, x) in [0, 1] of the chosen steps, one step after the other: memory is of one."""
        assert isinstance(rollout, DrnetRollout)
        poses = rollout.poses if steps is None else rollout.poses[:, steps]
        images = (self.paint(rollout.content, pose).clamp(0, 1) for pose in poses.unbind(1))
        return torch.stack([area_average(image, rollout.downscale) for image in images], dim=1)
