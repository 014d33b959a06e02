"""What is predicted, and from how much. No torch here: `python -m vfplan.predictability --help` reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vfplan.checks import MOST_SEED, require_ranges, within

if TYPE_CHECKING:
    from envs.base import EnvConfig

FEWEST_EPISODES = 12  # so that two of them are held out


@dataclass(frozen=True)
class PredictabilityConfig:
    """Configuration of `vfplan.predictability`; the comments in `configs/predictability.yaml` say what each key is."""

    env: EnvConfig
    episodes: int = within(1350, FEWEST_EPISODES, 1_000_000)
    policy: str = "auto"
    moving: float | None = within(None, 1e-9, 1e9)
    steps: int = within(5000, 2, 100_000_000)
    workers: int = within(0, 0, 1024)
    unit_seconds: float = within(600, 0, 1e6)
    threads: int = within(0, 0, 1024)
    device: str = "auto"
    seed: int = within(0, 0, MOST_SEED)
    run_dir: str = ""

    def __post_init__(self) -> None:
        require_ranges(self)
