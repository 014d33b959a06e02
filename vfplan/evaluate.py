"""Command: offline likelihood tests of a model on held-out episodes."""

from __future__ import annotations

from dataclasses import dataclass

from vfplan.config import command

HELP = """
Measure the exact likelihood of held-out episodes under a model: bits per dimension with 95 % intervals over episodes,
per level and per step, with the true actions and with those of another episode.

examples:
  python -m vfplan.collect env=push episodes=256 seed=1 out=data/push-heldout
  python -m vfplan.evaluate data=data/push-heldout
  python -m vfplan.evaluate checkpoint=runs/push/checkpoint data=data/push-heldout samples=4
  python -m vfplan.evaluate checkpoint=runs/push/checkpoint data=data/push episodes=32
"""


@dataclass(frozen=True)
class EvaluateConfig:
    """Configuration of `vfplan.evaluate`; the comments in `configs/evaluate.yaml` say what each key is."""

    data: str
    checkpoint: str = ""
    episodes: int = 0
    samples: int = 1
    batch: int = 16
    threads: int = 0
    device: str = "auto"
    seed: int = 0
    run_dir: str = ""

    def __post_init__(self) -> None:
        for name, least in {"episodes": 0, "samples": 1, "batch": 1, "threads": 0}.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}; got {getattr(self, name)}")


def evaluate(config: EvaluateConfig) -> None:
    """Score the episodes, print the table, write likelihood.json and likelihood.png."""
    from vfplan.offline import run

    run(config)


main = command(evaluate, EvaluateConfig, name="evaluate", help=HELP)

if __name__ == "__main__":
    main()
