"""What is collected. No torch here: `python -m vfplan.collect --help` reads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vfplan.checks import require_ranges, within
from vfplan.data.filling import FillConfig

if TYPE_CHECKING:
    from envs.base import EnvConfig

PLANNER = "planner"
"""The policy that plans with a checkpoint."""


@dataclass(frozen=True)
class ExplorationConfig:
    """How `policy=planner` differs from a planner that is to succeed."""

    noise: float = within(0.1, 0, 1)
    """Share of the actions that noise is added to."""
    noise_std: float = within(0.3, 0, 10)
    """Standard deviation of it, in every component that is not held."""
    goal_actions: int = within(15, 1, 100000)
    """Actions after which a new goal is drawn, at the next planning."""
    goal_reached: float = within(0.03, 0, 10)
    """Distance (m) of the object from its place below which a new goal is drawn at once."""
    lockstep: int = within(8, 1, 10_000)
    """Episodes of a shard that are run side by side."""

    def __post_init__(self) -> None:
        require_ranges(self)


@dataclass(frozen=True)
class CollectConfig(FillConfig):
    """What to collect; the comments in `configs/collect.yaml` say what each key is."""

    env: EnvConfig
    episodes: int = within(1000, 1, 1_000_000_000)
    policy: str = "auto"
    checkpoint: str = ""
    settings: str = ""
    exploration: ExplorationConfig = ExplorationConfig()

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("checkpoint", "settings"):
            if self.policy != PLANNER and getattr(self, name):
                raise ValueError(f"{name}= is for policy={PLANNER}; policy={self.policy} plans with no model")

    @property
    def folder(self) -> Path:
        """Where the store goes."""
        return Path(self.out or f"data/{self.env.name}")
