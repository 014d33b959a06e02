"""Command: push objects to where goal images show them, planning with a world model."""

from __future__ import annotations

from vfplan import sections
from vfplan.cli.config import command
from vfplan.control.settings import PlanConfig

HELP = """
Solve held-out tasks in closed loop: plan on imagined frames, act, look, plan again. Writes results.json and a video.

examples:
  python -m vfplan.plan env=push
  python -m vfplan.plan env=push num_tasks=0 run_dir=runs/benchmark gif=false
  python -m vfplan.plan env=push model=oracle planner=cem planner.samples=128
  python -m vfplan.plan env=push planner=gradient planner.samples=16
  python -m vfplan.plan env=push planner=icem planner.refine_steps=5
  python -m vfplan.plan env=push planner=random
  python -m vfplan.plan env=push checkpoint=runs/push/checkpoint cost=pixel goal_hand=true
  python -m vfplan.plan env=push control.on_surprise=replan control.monitor=runs/monitor/surprise.json
  python -m vfplan.plan env=pusht checkpoint=runs/pusht/checkpoint cost=goal_image cost.chroma=false
  python -m vfplan.plan env=gym env.id=Pusher-v5 planner=random
"""


def plan(config: PlanConfig) -> None:
    """Run the tasks, print a line per task and a summary, write the run folder."""
    from vfplan.control.run import run

    run(config)


main = command(
    plan,
    PlanConfig,
    name="plan",
    help=HELP,
    results="results.json",
    sections={**sections.PLANNING, "env": sections.environments},
)

if __name__ == "__main__":
    main()
