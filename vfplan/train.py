"""Command: fit a world model to stores of episodes; the same command resumes."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vfplan.checks import require_at_least
from vfplan.config import command
from vfplan.errors import UserError

if TYPE_CHECKING:
    from vfplan.models.videoflow import Architecture
    from vfplan.recipe import LearningConfig

HELP = """
Fit an action-conditioned VideoFlow to stores of episodes. Give run_dir to be able to resume: the same command goes on.

examples:
  python -m vfplan.train data=data/push run_dir=runs/push
  python -m vfplan.train data=data/push run_dir=runs/quick learning.steps=2000 validate_every=500
  python -m vfplan.train data=data/push run_dir=runs/gpu device=cuda learning.steps=100000
  python -m vfplan.train data=[data/push,data/more] shares=[0.5,0.5] run_dir=runs/both   # validated on the first
  python -m vfplan.train data=data/push_slip init=vfplan/checkpoints/push learning.steps=1000   # fine-tune
  python -m vfplan.train data=data/push run_dir=runs/top learning.batch=[0,0,64]   # thumbnails alone: enough to plan
  python -m vfplan.train -m data=data/push run_dir=runs/beta learning.beta=0,0.5
"""


@dataclass(frozen=True)
class TrainConfig:
    """Configuration of `vfplan.train`; the comments in `configs/training/train.yaml` say what each key is."""

    data: str | tuple[str, ...]
    model: Architecture
    learning: LearningConfig
    shares: tuple[float, ...] | None = None
    init: str = ""
    actions: Literal["all", "none"] = "all"
    validation_episodes: int = 256
    validate_every: int = 1000
    log_every: int = 100
    save_every: int = 1000
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    weights: Literal["float32", "bfloat16"] = "float32"
    tensorboard: bool = False
    threads: int = 0
    device: str = "auto"
    seed: int = 0
    run_dir: str = ""
    allow_mismatch: bool = False

    def __post_init__(self) -> None:
        require_at_least(self, validation_episodes=1, validate_every=1, log_every=1, save_every=1, threads=0)
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
    def stores(self) -> tuple[str, ...]:
        """The folders in `data`."""
        return (self.data,) if isinstance(self.data, str) else self.data


def train(config: TrainConfig) -> None:
    """Train to `learning.steps`, saving a resumable state and a shareable checkpoint on the way."""
    from vfplan.training import run

    run(_with_architecture_of_init(config) if config.init else config)


def _with_architecture_of_init(config: TrainConfig) -> TrainConfig:
    """What the command line leaves as it comes with `model`, the checkpoint in `init` decides."""
    from vfplan.models.checkpoint import load_architecture

    found, wanted = load_architecture(Path(config.init)), config.model
    if found.name != wanted.name:
        raise UserError(f"checkpoint {config.init} holds model={found.name}; this run has model={wanted.name}")
    usual = main.configuration([f"model={wanted.name}", "data=none"]).model
    left = [field.name for field in fields(wanted) if getattr(wanted, field.name) == getattr(usual, field.name)]
    return replace(config, model=replace(wanted, **{name: getattr(found, name) for name in left}))


def _models() -> dict[str, Any]:
    from vfplan.models.build import CONFIGS

    return dict(CONFIGS)


def _learning() -> dict[str, Any]:
    from vfplan.recipe import LearningConfig

    return dict.fromkeys(_models(), LearningConfig)


# A folder of its own: `model` is a group here, whose files are architectures, and a plain key of the other commands.
main = command(
    train, TrainConfig, name="train", help=HELP, sections={"model": _models, "learning": _learning}, folder="training"
)

if __name__ == "__main__":
    main()
