"""Command: world models of every kind, each trained, tested and planned with in the same way, in one table."""

from __future__ import annotations

from vfplan.cli.config import command
from vfplan.evaluate import main as evaluate
from vfplan.plan import main as plan
from vfplan.speed import main as speed
from vfplan.studies.comparison.settings import CompareConfig
from vfplan.train import main as train

HELP = """
Train each model with its own recipe on the same data, then test its likelihoods and samples, time it, and plan with it
on the same tasks; with `seconds=` a second time with as many samples as a plan of that length allows. Prints the
commands that it runs. What is finished is not done again when the same command is given again.

examples:
  python -m vfplan.compare data=data/push heldout=data/push-heldout models=[videoflow,svg_prime] run_dir=runs/compare
  python -m vfplan.compare data=data/push heldout=data/push-heldout 'rows={copy: "model=svg_lp model.emission=copy"}'
  python -m vfplan.compare data=data/push heldout=data/push-heldout seconds=1 'plan="env=push num_tasks=200"'
"""


def compare(config: CompareConfig) -> None:
    """Make what is missing of every row, write table.md."""
    from vfplan.studies.comparison.run import run

    run(config, {command.name: command.configuration for command in (train, evaluate, speed, plan)})


main = command(compare, CompareConfig, name="compare", help=HELP)

if __name__ == "__main__":
    main()
