"""How much the offline tests sample. No torch here: `python -m vfplan.evaluate --help` reads it."""

from __future__ import annotations

from dataclasses import dataclass

from vfplan.checks import require_at_least


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Sizes of the offline tests; the comments in `configs/evaluate.yaml` say what each key is."""

    samples: int = 1
    likelihood_steps: int = 0
    sample_episodes: int = 64
    rollout_samples: int = 16
    temperatures: tuple[float, ...] = (0.0, 0.3, 0.5, 0.7, 1.0)
    temperature_episodes: int = 16
    temperature_samples: int = 4
    detection_steps: int = 8
    long_episodes: int = 8
    long_steps: int = 100
    batch: int = 16
    seed: int = 0

    def __post_init__(self) -> None:
        require_at_least(
            self, samples=1, likelihood_steps=0, sample_episodes=0, rollout_samples=2, temperature_episodes=1,
            temperature_samples=2, detection_steps=1, long_episodes=1, long_steps=1, batch=1,
        )  # fmt: skip
        if not self.temperatures or min(self.temperatures) < 0:
            raise ValueError(f"temperatures must be one or more numbers from 0 on; got {self.temperatures}")


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig(Settings):
    """Configuration of `vfplan.evaluate`; the comments in `configs/evaluate.yaml` say what each key is."""

    data: str
    checkpoint: str = ""
    episodes: int = 0
    threads: int = 0
    device: str = "auto"
    run_dir: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least(self, episodes=0, threads=0)
