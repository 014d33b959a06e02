"""Command: fit a world model to stores of episodes; the same command resumes."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from vfplan.cli.config import command
from vfplan.errors import UserError
from vfplan.sections import plan_command
from vfplan.training.settings import TrainConfig

HELP = """
Fit a world model, by default a VideoFlow, to stores of episodes. Give run_dir to be able to resume: the same command
goes on.

examples:
  python -m vfplan.train data=data/push run_dir=runs/push
  python -m vfplan.train data=data/push run_dir=runs/quick learning.steps=2000 validate_every=500
  python -m vfplan.train data=data/push run_dir=runs/gpu device=cuda learning.steps=100000
  python -m vfplan.train data=[data/push,data/more] shares=[0.5,0.5] run_dir=runs/both   # validated on the first
  python -m vfplan.train data=data/push_slip init=vfplan/checkpoints/push learning.steps=1000   # fine-tune
  python -m vfplan.train data=data/push run_dir=runs/top learning.batch=[0,0,64]   # thumbnails alone: enough to plan
  python -m vfplan.train model=multiscale data=data/push run_dir=runs/multiscale   # another model than VideoFlow
  python -m vfplan.train -m data=data/push run_dir=runs/beta learning.beta=0,0.5
"""


def train(config: TrainConfig) -> None:
    """Train to `learning.steps`, saving a resumable state and a shareable checkpoint on the way."""
    from vfplan.training.run import run

    store = run(_with_architecture_of_init(config) if config.init else config)
    if store and (following := plan_command(store.env, store.description, Path(config.run_dir) / "checkpoint")):
        print(f"      {following}")


def _with_architecture_of_init(config: TrainConfig) -> TrainConfig:
    """What the command line leaves as it comes with `model`, the checkpoint in `init` decides."""
    from vfplan.models.checkpoint import load_architecture
    from vfplan.models.registry import becomes

    found, wanted = load_architecture(config.init), config.model
    if not becomes(found, wanted):
        raise UserError(f"checkpoint {config.init} holds model={found.name}; this run has model={wanted.name}")
    usual = main.configuration([f"model={wanted.name}", "data=none"]).model
    shared = {field.name for field in fields(found)} - {"name"}
    left = [name for name in shared if getattr(wanted, name) == getattr(usual, name)]
    try:
        return replace(config, model=replace(wanted, **{name: getattr(found, name) for name in left}))
    except ValueError as error:
        raise UserError(f"model does not fit checkpoint {config.init}: {error}") from error


def _models() -> dict[str, Any]:
    from vfplan.models.registry import FAMILIES

    return {name: family.config for name, family in FAMILIES.items()}


def _learning() -> dict[str, Any]:
    from vfplan.models.registry import FAMILIES

    return {name: family.recipe for name, family in FAMILIES.items()}


# A folder of its own: `model` is a group here, whose files are architectures, and a plain key of the other commands.
main = command(
    train,
    TrainConfig,
    name="train",
    help=HELP,
    results="metrics.jsonl",
    sections={"model": _models, "learning": _learning},
    folder="training",
)

if __name__ == "__main__":
    main()
