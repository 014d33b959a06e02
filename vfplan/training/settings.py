"""The settings of `vfplan.train`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from vfplan.checks import MOST_SEED, require_ranges, within

if TYPE_CHECKING:
    from vfplan.models.recipe import Recipe
    from vfplan.models.trainable import Architecture

LOGGERS = ("jsonl", "csv", "tensorboard", "wandb", "trackio")


@dataclass(frozen=True)
class TrainConfig:
    """Configuration of `vfplan.train`; the comments in `configs/training/train.yaml` say what each key is."""

    data: str | tuple[str, ...]
    model: Architecture
    learning: Recipe
    shares: tuple[float, ...] | None = within(None, 0, 1)
    init: str = ""
    actions: Literal["all", "none"] = "all"
    hand: Literal["unknown", "told"] = "unknown"
    verify: Literal["no", "first_touch"] = "no"
    on_corrupt: Literal["stop", "skip"] = "stop"
    validation_episodes: int = within(256, 1, 1_000_000_000)
    validate_every: int = within(1000, 1, 1_000_000_000)
    log_every: int = within(100, 1, 1_000_000_000)
    save_every: int = within(1000, 1, 1_000_000_000)
    keep: int = within(2, 1, 10_000)
    max_skipped: int = within(10, 1, 1_000_000)
    on_disk_full: Literal["stop", "continue"] = "stop"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    weights: Literal["float32", "bfloat16"] = "float32"
    logger: tuple[str, ...] | str = "jsonl"
    tensorboard: bool = False
    threads: int = within(0, 0, 1024)
    device: str = "auto"
    seed: int = within(0, 0, MOST_SEED)
    run_dir: str = ""
    allow_mismatch: bool = False

    def __post_init__(self) -> None:
        require_ranges(self)
        for name in self.loggers:
            if name not in LOGGERS:
                raise ValueError(f"logger must be {', '.join(LOGGERS)}, or a list of such; got {name!r}")
        count, shares = len(self.stores), self.shares
        if count < 1:
            raise ValueError("data must name at least one store")
        if shares is None:
            return
        if len(shares) != count:
            raise ValueError(f"shares must be as many numbers as data has stores, {count}; got {list(shares)}")
        if not (all(share > 0 for share in shares) and abs(sum(shares) - 1) <= 1e-6):
            raise ValueError(f"shares must be positive numbers that sum to one; got {list(shares)}")

    @property
    def loggers(self) -> tuple[str, ...]:
        """Where numbers go."""
        named = (self.logger,) if isinstance(self.logger, str) else self.logger
        return (*named, *(("tensorboard",) if self.tensorboard else ()))

    @property
    def stores(self) -> tuple[str, ...]:
        """The folders in `data`."""
        return (self.data,) if isinstance(self.data, str) else self.data
