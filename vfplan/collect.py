"""Command: collect episodes of a policy or a planner into a store of frames, actions and positions."""

from __future__ import annotations

from vfplan.cli.config import command
from vfplan.collection.settings import CollectConfig
from vfplan.plan import main as plan
from vfplan.sections import environments

HELP = """
Collect episodes of a scripted policy, or of a planner, into a store of frames, actions and positions.
A killed collection goes on when the same command is run again; more episodes= makes a store grow.

  python -m vfplan.collect env=push episodes=1000 out=data/push
  python -m vfplan.collect env=push_bair policy=bair workers=8
  python -m vfplan.collect env.num_objects=2 env.image_size=32 seed=7 out=data/two
  python -m vfplan.collect env=push policy=planner checkpoint=runs/push/checkpoint out=data/planned
  python -m vfplan.collect env=push policy=planner 'settings="planner.samples=64 cost=pixel"' exploration.noise=0.2
  python -m vfplan.collect -m env=push,push_slip episodes=200
  python -m vfplan.collect env=pusht episodes=2000
  python -m vfplan.collect env=gym env.id=Pusher-v5 out=data/pusher
"""


def collect(config: CollectConfig) -> None:
    """Write the episodes that the store lacks."""
    from vfplan.collection.run import run

    run(config, plan.configuration)


main = command(
    collect, CollectConfig, name="collect", help=HELP, results="collect.json", sections={"env": environments}
)

if __name__ == "__main__":
    main()
