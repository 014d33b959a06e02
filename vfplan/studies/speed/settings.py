"""What is timed. No torch here: `python -m vfplan.speed --help` reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vfplan.checks import MOST_SEED, require_ranges, within


@dataclass(frozen=True)
class SpeedConfig:
    """Configuration of `vfplan.speed`; the comments in `configs/speed.yaml` say what each key is."""

    models: tuple[str, ...] = ("videoflow", "multiscale", "vpn")
    image_size: int = within(64, 2, 1024)
    action_dim: int = within(4, 0, 1024)
    downscales: tuple[int, ...] = within((1, 4), 1, 256)
    rows: int = within(16, 1, 100_000)
    steps: int = within(2, 1, 1000)
    repeats: int = within(3, 1, 1000)
    temperature: float = within(1.0, 0, 10)
    precision: Literal["float32", "bfloat16", "auto"] = "float32"
    threads: int = within(1, 0, 1024)
    device: str = "auto"
    seed: int = within(0, 0, MOST_SEED)
    run_dir: str = ""

    def __post_init__(self) -> None:
        require_ranges(self)
        if not self.models or not self.downscales:
            raise ValueError("models and downscales must name one or more each")
