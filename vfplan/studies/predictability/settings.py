"""What is predicted, and from how much. No torch here: `python -m vfplan.predictability --help` reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vfplan.checks import require_at_least

if TYPE_CHECKING:
    from envs.base import EnvConfig

FEWEST_EPISODES = 12  # so that two of them are held out


@dataclass(frozen=True)
class PredictabilityConfig:
    """Configuration of `vfplan.predictability`; the comments in `configs/predictability.yaml` say what each key is."""

    env: EnvConfig
    episodes: int = 1350
    policy: str = "auto"
    moving: float | None = None
    steps: int = 5000
    workers: int = 0
    threads: int = 0
    device: str = "auto"
    seed: int = 0
    run_dir: str = ""

    def __post_init__(self) -> None:
        require_at_least(self, episodes=FEWEST_EPISODES, steps=2, workers=0, threads=0, seed=0)
        if self.moving is not None and self.moving <= 0:
            raise ValueError(f"moving must be positive; got {self.moving}")
