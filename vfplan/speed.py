"""Command: how many frames per second models imagine."""

from __future__ import annotations

from vfplan.cli.config import command
from vfplan.studies.speed.settings import SpeedConfig
from vfplan.train import main as train

HELP = """
Time the same rollouts by several models in one process: frames per second by the clock, and per second of processor
time, which other work does not slow down. Full frames, and thumbnails where a model imagines them by themselves.

examples:
  python -m vfplan.speed
  python -m vfplan.speed models=[videoflow,multiscale] rows=128 steps=8
  python -m vfplan.speed models=[runs/push/checkpoint] device=cuda precision=auto
"""


def speed(config: SpeedConfig) -> None:
    """Print a row per model and scale, write speed.json."""
    from vfplan.studies.speed.run import run

    run(config, lambda name: train.configuration([f"model={name}", "data=none"]).model)


main = command(speed, SpeedConfig, name="speed", help=HELP, results="speed.json")

if __name__ == "__main__":
    main()
