"""Point-to-point: video that begins with one image and ends with another.

After Wang et al., "Point-to-Point Video Generation", ICCV 2019: SVG-LP (`svg.py`) whose three LSTMs are also told the
code of the goal, how much of the way a step is, and how much is left after it. Departure: without a goal, a code that
is learned stands for it, and that is the world model, of which alone there are likelihoods. With a goal no actions are
told: what is asked for is images on the way, and which actions lead there is a planner's question.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor, nn

from vfplan.checks import within
from vfplan.models.base import Context, Noise
from vfplan.models.literature.svg import Svg, SvgConfig
from vfplan.models.parts.gaussian import Gaussian
from vfplan.models.parts.recurrent import Lstm
from vfplan.models.parts.video_state import Seen, VideoNoise, VideoState

TIMES = 2
"""Numbers that say when a step is."""


@dataclass(frozen=True)
class P2PConfig(SvgConfig):
    """Architecture of a point-to-point model; stored in checkpoints."""

    name: str = "p2p"
    past_frames: int = within(1, 1, 256)
    prior: Literal["learned"] = "learned"
    """It sees the past, and where it is to end; a fixed one could not."""


@dataclass(frozen=True)
class P2PState(VideoState):
    """What is remembered, and where it is to end."""

    goal: Tensor = field(kw_only=True)
    """(B, g) its code, or what stands for an unknown one."""
    times: Tensor = field(kw_only=True)
    """(B, 2) the next step, and what is left after it, as shares of the whole way; zeros without a goal."""


class PointToPoint(Svg):
    """SVG-LP that can be told where it is to end."""

    config: P2PConfig

    def __init__(self, config: P2PConfig) -> None:
        told = config.code + TIMES
        super().__init__(config, memory=Lstm, layer=nn.Linear, latent=(config.latent,), flat=True, more=told)
        self.unknown = nn.Parameter(torch.zeros(config.code))

    def start(self, seen: Seen) -> P2PState:
        """The memory when nothing but this was seen, and no goal is known."""
        state, rows = super().start(seen), len(seen.image)
        times = seen.image.new_zeros(rows, TIMES)
        return P2PState(state.newest, state.carries, state.shown, goal=self.unknown.expand(rows, -1), times=times)

    def towards(self, state: VideoState, goal: Tensor) -> P2PState:
        """The memory of whoever is to end at the image `goal` (B, C, Y, X) in [0, 1]."""
        assert isinstance(state, P2PState)
        return replace(state, goal=self.look(goal).code)

    def timed(self, state: VideoState, step: float, left: float) -> P2PState:
        """The memory before a step that is a share of the way and leaves another one."""
        assert isinstance(state, P2PState)
        return replace(state, times=state.times.new_tensor([step, left]).expand(len(state.times), -1))

    def prior(self, state: VideoState, action: Tensor, above: tuple[Tensor, ...]) -> tuple[Gaussian, VideoState]:
        """What is expected of the latent after action (B, A), on the way to the goal."""
        return super().prior(state, _told(state, action), above)

    def posterior(
        self, state: VideoState, action: Tensor, seen: Seen, above: tuple[Tensor, ...]
    ) -> tuple[Gaussian, VideoState]:
        """The same given the frame that followed."""
        return super().posterior(state, _told(state, action), seen, above)

    def advance(self, state: VideoState, action: Tensor, latents: tuple[Tensor, ...]) -> tuple[Tensor, VideoState]:
        """The code of the next frame after action (B, A), and the memory one step on."""
        return super().advance(state, _told(state, action), latents)

    def no_actions(self, rows: int) -> Tensor:
        """What is told (B, A) of actions that nobody knows."""
        return self.unknown.new_zeros(rows, self.action_dim)

    def propose(self, context: Context, goal: Tensor, steps: int, noise: Noise) -> Tensor:
        """Images (B, T, C, Y, X) in [0, 1] on the way from a context to the uint8 image `goal` (B, C, Y, X).

        The last of the T = `steps` is the goal, or close to it; `noise` is that of `sample_noise(B, steps, rng)`.

        Raises:
            ValueError: for no steps, or noise of fewer.
        """
        assert isinstance(noise, VideoNoise)
        known = noise.levels[0].shape[1]
        if not 1 <= steps <= known:
            raise ValueError(f"steps must be in [1, {known}], those that there is noise for; got {steps}")
        state: VideoState = self.towards(self.encode(context), self.images(goal))
        action, images = self.no_actions(len(goal)), []
        for step in range(steps):
            state = self.timed(state, 1 / steps, (steps - 1 - step) / steps)
            features, state = self.imagine(state, action, noise.at(step))
            image = self.emission(self.paint(features, state), state.newest.image).image
            images.append(image)
            state = self.notice(state, self.look(image))
        return torch.stack(images, dim=1)


def _told(state: VideoState, action: Tensor) -> Tensor:
    """An action (B, A), where it is to end, and when the step is (B, A + g + 2)."""
    assert isinstance(state, P2PState)
    return torch.cat([action, state.goal, state.times], dim=1)
