"""Command: world models of every kind, each trained, tested and planned with in the same way, in one table."""

from __future__ import annotations

from collections.abc import Sequence

from vfplan.cli.config import command
from vfplan.errors import UserError
from vfplan.plan import main as plan
from vfplan.studies.comparison.settings import CompareConfig

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

    run(config, _samples)


def _samples(overrides: Sequence[str]) -> tuple[int, int]:
    planner = plan.configuration(overrides).planner
    samples, elites = (getattr(planner, name, None) for name in ("samples", "elites"))
    if not isinstance(samples, int) or not isinstance(elites, int):
        raise UserError(f"seconds= needs a planner with samples and elites, such as icem or cem; got {planner}")
    return samples, elites


main = command(compare, CompareConfig, name="compare", help=HELP)

if __name__ == "__main__":
    main()
