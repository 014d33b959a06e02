"""How much the offline tests sample. No torch here: `python -m vfplan.evaluate --help` reads it."""

from __future__ import annotations

from dataclasses import dataclass

from vfplan.checks import MOST_SEED, require_ranges, within


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Sizes of the offline tests; the comments in `configs/evaluate.yaml` say what each key is."""

    samples: int = within(1, 1, 10_000)
    likelihood_steps: int = within(0, 0, 1_000_000)
    sample_episodes: int = within(64, 0, 1_000_000_000)
    rollout_samples: int = within(16, 2, 10_000)
    temperatures: tuple[float, ...] = within((0.0, 0.3, 0.5, 0.7, 1.0), 0, 10)
    temperature_episodes: int = within(16, 1, 1_000_000)
    temperature_samples: int = within(4, 2, 10_000)
    detection_steps: int = within(8, 1, 1_000_000)
    long_episodes: int = within(8, 1, 1_000_000)
    long_steps: int = within(100, 1, 1_000_000)
    batch: int = within(16, 1, 1_000_000)
    seed: int = within(0, 0, MOST_SEED)

    def __post_init__(self) -> None:
        require_ranges(self)
        if not self.temperatures:
            raise ValueError("temperatures must be one or more numbers")


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig(Settings):
    """Configuration of `vfplan.evaluate`; the comments in `configs/evaluate.yaml` say what each key is."""

    data: str
    checkpoint: str = ""
    episodes: int = within(0, 0, 1_000_000_000)
    threads: int = within(0, 0, 1024)
    device: str = "auto"
    run_dir: str = ""
