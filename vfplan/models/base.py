"""What a world model is to the rest of vfplan.

Dimension letters: B batch row, P past frame, T future step, A action, C channel, Y row, X column. Action t leads from
frame t to frame t + 1, so P frames carry P - 1 actions and T actions give T frames. Actions are in [-1, 1]; log-
probabilities are nats, summed over dimensions; frames are uint8, decoded images float in [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, Self, TypeAlias, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Slice: TypeAlias = "slice[int | None, int | None, int | None]"

Bound: TypeAlias = Literal["dequantised", "elbo", "exact"]
"""Of a density over dequantised values, of latents that are integrated out, or none: the probability itself."""


@dataclass(frozen=True)
class Context:
    """What is known before the first action of a plan."""

    frames: Tensor
    """(B, P, C, Y, X) uint8, newest last."""
    actions: Tensor
    """(B, P - 1, A), the actions between those frames."""
    sim_state: NDArray[np.float64] | None = None
    """(B, S) simulator state; only the oracle may read it."""
    hand: Tensor | None = None
    """(B, P, 2) m, where the hand was in these frames (proprioception); None where nobody knows."""

    def take(self, rows: Tensor) -> Context:
        """The rows with these indices."""
        state = None if self.sim_state is None else self.sim_state[rows.cpu().numpy()]
        return Context(self.frames[rows], self.actions[rows], state, None if self.hand is None else self.hand[rows])


@dataclass(frozen=True)
class Clip:
    """L frames of B episodes, and what led from one to the next."""

    frames: Tensor
    """(B, L, C, Y, X) uint8."""
    actions: Tensor
    """(B, L - 1, A)."""
    hand: Tensor | None = None
    """(B, L, 2) m, where the hand was; None where nobody knows."""

    def context(self, past: int, first: int = 0) -> Context:
        """The `past` frames from the one at index `first` on."""
        known = slice(first, first + past)
        hand = None if self.hand is None else self.hand[:, known]
        return Context(self.frames[:, known], self.actions[:, first : first + past - 1], hand=hand)

    def take(self, rows: Slice) -> Clip:
        """The chosen rows."""
        return Clip(self.frames[rows], self.actions[rows], None if self.hand is None else self.hand[rows])

    def until(self, length: int) -> Clip:
        """The first `length` frames."""
        hand = None if self.hand is None else self.hand[:, :length]
        return Clip(self.frames[:, :length], self.actions[:, : length - 1], hand)


class State(Protocol):
    """A model's opaque summary of a context, or its noise: rows that can be chosen and repeated."""

    def repeat(self, copies: int) -> Self:
        """The state with each row repeated `copies` times in place: (B, ...) -> (B * copies, ...)."""

    def take(self, rows: Tensor | Slice) -> Self:
        """The chosen rows."""


class Noise(Protocol):
    """A model's opaque standard noise, row by row; zeros are temperature 0."""

    def scaled(self, temperature: float) -> Self:
        """The noise times `temperature`."""

    def antithetic(self) -> Self:
        """Twice as many rows: each followed by its negative."""

    def take(self, rows: Tensor | Slice) -> Self:
        """The chosen rows."""


@dataclass(frozen=True)
class LogProb:
    """Log-probability of observed frames."""

    per_frame: Tensor
    """(B, T) nats."""
    per_level: Tensor
    """(B, T, L) nats, finest level first; sums to `per_frame`."""


@runtime_checkable
class WorldModel(Protocol):
    """A stochastic simulator of frames. No call changes the model; all randomness is in `noise`.

    What it encodes, draws and imagines, only the model itself looks into.
    """

    past_frames: int
    action_dim: int
    reads_simulator: bool
    """Whether `encode` needs `Context.sim_state`; false for every learned model."""

    def encode(self, context: Context) -> State:
        """Summarise the context."""

    def sample_noise(self, rows: int, steps: int, rng: torch.Generator | None, *, downscale: int = 1) -> Noise:
        """Draw the noise of `rows` rollouts of `steps` steps; with rng None, zeros (temperature 0)."""

    def rollout(self, state: State, actions: Tensor, noise: Noise, *, downscale: int = 1) -> object:
        """Imagine the frames that follow actions (B, T, A), at the image size divided by `downscale`."""

    def decode(self, rollout: object, steps: list[int] | None = None) -> Tensor:
        """Images (B, T', C, Y / downscale, X / downscale) in [0, 1] of the chosen steps (all by default)."""


@runtime_checkable
class LikelihoodModel(WorldModel, Protocol):
    """A world model that also gives the probability of what was seen.

    A model without a likelihood has no `log_prob`: what needs one asks `isinstance(model, LikelihoodModel)`.
    """

    @property
    def bound(self) -> Bound:
        """What `log_prob` is: a lower bound on the log-probability, or that itself."""

    def log_prob(self, context: Context, actions: Tensor, frames: Tensor, rng: torch.Generator) -> LogProb:
        """Teacher-forced log-probability of uint8 frames (B, T, C, Y, X) after actions (B, T, A)."""


@runtime_checkable
class MonitorableModel(WorldModel, Protocol):
    """A world model that also says where an observed frame is unlikely."""

    def cell_log_prob(self, context: Context, action: Tensor, frame: Tensor) -> Tensor:
        """How likely each cell (B, y, x) of uint8 frame (B, C, Y, X) is after action (B, A): log-density, nats.

        Deterministic. `context` holds the true frames before it.
        """


@runtime_checkable
class ProposingModel(WorldModel, Protocol):
    """A world model that also imagines a way to a goal image, whatever the actions."""

    def propose(self, context: Context, goal: Tensor, steps: int, noise: Noise) -> Tensor:
        """Images (B, T, C, Y, X) in [0, 1] of T = `steps` steps to uint8 `goal` (B, C, Y, X); the last is close to it.

        `noise` is that of `sample_noise(B, steps, rng)`.
        """
