"""The model that expects nothing to happen: what there is to look at where a planner needs no predictions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vfplan.models.base import Context, Noise, State
from vfplan.models.oracle import NoNoise
from vfplan.pixels import area_average, unit_from_frames


@dataclass(frozen=True)
class StillState:
    """The last images (B, C, Y, X) in [0, 1]."""

    images: Tensor

    def repeat(self, copies: int) -> StillState:
        """Each row `copies` times, adjacent."""
        return StillState(self.images.repeat_interleave(copies, dim=0))

    def take(self, rows: Tensor | slice) -> StillState:
        """The chosen rows."""
        return StillState(self.images[rows])


class StillModel:
    """Every future frame is the last one, whatever the actions (B, T, A)."""

    past_frames = 1
    reads_simulator = False

    def __init__(self, action_dim: int) -> None:
        self.action_dim = action_dim

    def encode(self, context: Context) -> StillState:
        """The last frame."""
        return StillState(unit_from_frames(context.frames[:, -1]))

    def sample_noise(self, rows: int, steps: int, rng: torch.Generator | None, *, downscale: int = 1) -> NoNoise:
        """Nothing: it is always sure."""
        return NoNoise()

    def rollout(self, state: State, actions: Tensor, noise: Noise, *, downscale: int = 1) -> Tensor:
        """The same image T times, (B, T, C, Y / downscale, X / downscale)."""
        assert isinstance(state, StillState)
        return area_average(state.images, downscale)[:, None].expand(-1, actions.shape[1], -1, -1, -1)

    def decode(self, rollout: object, steps: list[int] | None = None) -> Tensor:
        """The chosen steps."""
        assert isinstance(rollout, Tensor)
        return rollout if steps is None else rollout[:, steps]
