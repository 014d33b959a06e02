"""Command: what can be known of what moves, before anyone trains a model of the images."""

from __future__ import annotations

from vfplan import sections
from vfplan.cli.config import command
from vfplan.studies.predictability.settings import PredictabilityConfig

HELP = """
Say how much of what moves in an environment can be known before it moves. Episodes are run without drawing them, and
a small network is told the true positions of hand and objects in the last three frames, and the actions. The share of
the objects' next displacement that it explains in held-out episodes is what a model that sees this much can expect of
the data policy (row data), and where what planning holds (env.hold) is held (row held). Shapes, sizes and orientations
are not told. Writes predictability.json.

examples:
  python -m vfplan.predictability env=push
  python -m vfplan.predictability env=push_bair policy=bair
  python -m vfplan.predictability env=push_clutter env.num_objects=3 workers=1 threads=1
  python -m vfplan.predictability env=pusht episodes=300
  python -m vfplan.predictability -m env=push,push_slip,push_wind
"""


def predictability(config: PredictabilityConfig) -> None:
    """Run the episodes, fit the networks, print the table, write the run folder."""
    from vfplan.studies.predictability.run import run

    run(config)


main = command(
    predictability,
    PredictabilityConfig,
    name="predictability",
    help=HELP,
    results="predictability.json",
    sections={"env": sections.environments},
)

if __name__ == "__main__":
    main()
