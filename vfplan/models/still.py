"""The model that expects nothing to happen: what there is to look at where a planner needs no predictions."""

from __future__ import annotations

import torch
from torch import Tensor

from vfplan.models.base import Context, Noise, State
from vfplan.models.rows import NoNoise, Rows
from vfplan.pixels import area_average, unit_from_frames


class StillModel:
    """Every future frame is the last one, whatever the actions (B, T, A)."""

    past_frames = 1
    reads_simulator = False

    def __init__(self, action_dim: int) -> None:
        self.action_dim = action_dim

    def encode(self, context: Context) -> Rows:
        """The last frame."""
        return Rows(unit_from_frames(context.frames[:, -1]))

    def sample_noise(self, rows: int, steps: int, rng: torch.Generator | None, *, downscale: int = 1) -> NoNoise:
        """Nothing: it is always sure."""
        return NoNoise()

    def rollout(self, state: State, actions: Tensor, noise: Noise, *, downscale: int = 1) -> Tensor:
        """The same image T times, (B, T, C, Y / downscale, X / downscale)."""
        assert isinstance(state, Rows)
        return area_average(state.values, downscale)[:, None].expand(-1, actions.shape[1], -1, -1, -1)

    def decode(self, rollout: object, steps: list[int] | None = None) -> Tensor:
        """The chosen steps."""
        assert isinstance(rollout, Tensor)
        return rollout if steps is None else rollout[:, steps]
