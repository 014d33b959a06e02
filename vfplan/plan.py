"""Command: push objects to where goal images show them, planning with a world model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from vfplan import sections
from vfplan.checks import require_at_least
from vfplan.cli.config import command

if TYPE_CHECKING:
    from envs import GymConfig, PushConfig
    from planners.search import PlannerConfig
    from vfplan.control.loop import ControlConfig
    from vfplan.control.scoring import ScoringConfig
    from vfplan.costs import CostConfig

HELP = """
Solve held-out tasks in closed loop: plan on imagined frames, act, look, plan again. Writes results.json and a GIF.

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


@dataclass(frozen=True)
class PlanConfig:
    """Configuration of `vfplan.plan`; the comments in `configs/plan.yaml` say what each key is."""

    env: PushConfig | GymConfig
    planner: PlannerConfig
    cost: CostConfig
    scoring: ScoringConfig
    control: ControlConfig
    model: Literal["videoflow", "oracle"] = "videoflow"
    checkpoint: str = ""
    tasks: Literal["benchmark", "dev"] = "benchmark"
    num_tasks: int = 10
    goal_hand: bool = False
    lockstep: int = 10
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    gif: bool = True
    threads: int = 0
    device: str = "auto"
    seed: int = 0
    run_dir: str = ""

    def __post_init__(self) -> None:
        if self.num_tasks < 0:
            raise ValueError(f"num_tasks must be 0 (all) or more; got {self.num_tasks}")
        require_at_least(self, lockstep=1, threads=0)
        self.control.require_horizon(self.planner.horizon)
        if self.model == "oracle" and self.checkpoint:
            raise ValueError("model=oracle is the simulator itself and takes no checkpoint")
        if self.model == "oracle" and self.planner.needs_gradients:
            raise ValueError(
                "model=oracle has no gradients, which planner=gradient and planner.refine_steps above 0 need; "
                "expected model=videoflow, or a planner that only samples"
            )
        if self.planner.needs_gradients and self.scoring.finalists.count:
            raise ValueError(
                "scoring.finalists makes a plan's cost depend on the other plans, so its gradient means nothing; set "
                "scoring.finalists.count=0, or a planner that only samples"
            )
        if self.control.on_surprise != "ignore" and not self.control.monitor:
            raise ValueError(
                f"control.on_surprise={self.control.on_surprise} needs control.monitor=FILE, a surprise.json of "
                "python -m vfplan.monitor"
            )
        if self.model == "oracle" and self.control.monitor:
            raise ValueError("model=oracle gives no likelihoods for control.monitor to watch")


def plan(config: PlanConfig) -> None:
    """Run the tasks, print a line per task and a summary, write the run folder."""
    from envs import GymConfig

    if isinstance(config.env, GymConfig):
        from vfplan.control.gym_run import run
    else:
        from vfplan.control.run import run

    run(config)


def _environments() -> dict[str, Any]:
    from envs import CONFIGS

    return dict(CONFIGS)


main = command(plan, PlanConfig, name="plan", help=HELP, sections={**sections.PLANNING, "env": _environments})

if __name__ == "__main__":
    main()
