"""What is collected. No torch here: `python -m vfplan.collect --help` reads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vfplan.checks import require_at_least
from vfplan.data.filling import FillConfig

if TYPE_CHECKING:
    from envs.base import EnvConfig

PLANNER = "planner"
"""The policy that plans with a checkpoint."""


@dataclass(frozen=True)
class ExplorationConfig:
    """How `policy=planner` differs from a planner that is to succeed."""

    noise: float = 0.1
    """Share of the actions that noise is added to."""
    noise_std: float = 0.3
    """Standard deviation of it, in every component that is not held."""
    goal_actions: int = 15
    """Actions after which a new goal is drawn, at the next planning."""
    goal_reached: float = 0.03
    """Distance (m) of the object from its place below which a new goal is drawn at once."""
    lockstep: int = 8
    """Episodes of a shard that are run side by side."""

    def __post_init__(self) -> None:
        require_at_least(self, noise_std=0, goal_actions=1, goal_reached=0, lockstep=1)
        if not 0 <= self.noise <= 1:
            raise ValueError(f"noise must be a share between 0 and 1; got {self.noise}")


@dataclass(frozen=True)
class CollectConfig(FillConfig):
    """What to collect; the comments in `configs/collect.yaml` say what each key is."""

    env: EnvConfig
    episodes: int = 1000
    policy: str = "auto"
    checkpoint: str = ""
    settings: str = ""
    exploration: ExplorationConfig = ExplorationConfig()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.episodes < 1:
            raise ValueError(f"episodes must be >= 1, got {self.episodes}")
        for name in ("checkpoint", "settings"):
            if self.policy != PLANNER and getattr(self, name):
                raise ValueError(f"{name}= is for policy={PLANNER}; policy={self.policy} plans with no model")

    @property
    def folder(self) -> Path:
        """Where the store goes."""
        return Path(self.out or f"data/{self.env.name}")
