"""Command: make the model card of a checkpoint from what it says of itself and what runs measured."""

from __future__ import annotations

from vfplan.cli.config import command
from vfplan.studies.card.settings import CardConfig

HELP = """
Make the model card of a checkpoint, README.md beside its weights: what it is, data, training command, environment,
versions, and the numbers with intervals of runs of plan, evaluate and benchmark, each with its command. What you write
between its <!-- markers --> (about, recipe, results, limits) stays when it is made again; without results= the numbers
stay, too.

examples:
  python -m vfplan.card checkpoint=runs/push/checkpoint results=[runs/plan,runs/evaluate]
  python -m vfplan.card checkpoint=push out=card.md
"""


def card(config: CardConfig) -> None:
    """Write the card."""
    from vfplan.studies.card.run import run

    run(config)


main = command(card, CardConfig, name="card", help=HELP)

if __name__ == "__main__":
    main()
