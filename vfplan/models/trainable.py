"""What a world model brings to be trained, validated and shipped: its configuration, and what it learns from clips."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn

from vfplan.checks import decided, require_ranges, within
from vfplan.models.base import Clip, Context, WorldModel
from vfplan.models.hand import Hand
from vfplan.models.precision import reducible

SLOW = 500
"""Passes that a frame takes one after the other, from which on a model is said to be slow."""


@dataclass(frozen=True)
class Architecture:
    """What the configuration of every trainable model says."""

    sees_hand: ClassVar[bool] = False
    """Whether the model can be told where the hand is."""

    name: str
    image_size: int = decided(64, 1, 4096)
    channels: int = decided(3, 1, 64)
    action_dim: int = decided(4, 0, 1024)
    """0 for the action-free model."""
    past_frames: int = within(3, 1, 256)
    switches: tuple[int, ...] = decided((), 0, 1023)
    """Places of the action components of which the world asks the sign only: the model sees -1 or 1."""
    hand: Hand | None = field(default=None, metadata={"setting": False})
    """How the hand moves, for a model that is told where it is; its coarsest level then sees a map of it."""

    def __post_init__(self) -> None:
        require_ranges(self)
        if self.hand and not self.sees_hand:
            raise ValueError(f"{self.name} cannot be told where the hand is; expected hand=unknown")
        if self.switches and not 0 <= min(self.switches) <= max(self.switches) < self.action_dim:
            raise ValueError(f"switches are places in an action of {self.action_dim}; got {self.switches}")

    def seen_actions(self, actions: Tensor) -> Tensor:
        """Actions (..., A) with -1 or 1 where only the sign counts."""
        if not self.switches:
            return actions
        actions, switches = actions.clone(), list(self.switches)
        actions[..., switches] = torch.where(actions[..., switches] > 0, 1.0, -1.0).to(actions.dtype)
        return actions


Loss = tuple[Tensor, Sequence[Tensor]]
"""What is descended, and the exact nats that it stands for, of one level or more; without likelihoods, any losses."""


class Objective(Protocol):
    """What a model learns from clips; the learner brings optimiser, schedule, average and resuming."""

    @property
    def window(self) -> int:
        """Frames per clip."""

    def rates(self) -> Sequence[tuple[Sequence[nn.Parameter], float]]:
        """All parameters, in groups, and the share of the learning rate that each group has."""

    def clipped(self) -> Sequence[tuple[str, Sequence[nn.Parameter]]]:
        """The parameters that learn, in groups whose gradients are clipped together, and what each is called."""

    def losses(
        self, clip: Clip, step: int, part: int, rng: torch.Generator
    ) -> Iterator[tuple[Tensor, Sequence[Tensor]]]:
        """The losses of one of the micro-batches of `step`, and with each what it stands for (see `Loss`)."""

    def report(self, nats: Sequence[float]) -> dict[str, float]:
        """What a step's losses are called in the log, the one to watch first: `bits_per_dim`, where there are bits."""


class TrainableModel(nn.Module, WorldModel):
    """A world model that vfplan trains, validates and keeps as a checkpoint; with `log_prob` a LikelihoodModel, too."""

    config: Architecture

    @property
    @abstractmethod
    def coarsest(self) -> int:
        """The scale at which rollouts are watched while training: that of thumbnails, where it imagines such."""

    @property
    def passes_per_frame(self) -> int:
        """Networks that are run one after the other to imagine a frame, as far as pixels wait for each other."""
        return 1

    @property
    def why_slow(self) -> str:
        """A line for whoever has to wait; empty for a model that imagines quickly."""
        if self.passes_per_frame < SLOW:
            return ""
        return (
            f"{self.config.name} draws a frame in {self.passes_per_frame:,} passes, one after the other: what imagines "
            "many takes minutes to hours"
        )

    def initialise(self, context: Context, actions: Tensor, frames: Tensor, rng: torch.Generator) -> None:
        """Set what is set by data before training, if anything is."""

    def set_compute_dtype(self, dtype: torch.dtype) -> None:
        """Let the networks that can run in `dtype`: bfloat16 for training and rollouts, never for likelihoods."""
        for network in reducible(self):
            network.compute_dtype = dtype
