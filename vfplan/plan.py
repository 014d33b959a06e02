"""Command: push objects to where goal images show them, planning with a world model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from vfplan.config import command

if TYPE_CHECKING:
    from envs.scene import PushConfig
    from planners.search import PlannerConfig
    from vfplan.control import ControlConfig
    from vfplan.costs import GoalImageConfig, PixelConfig
    from vfplan.scoring import ScoringConfig

HELP = """
Solve held-out tasks in closed loop: plan on imagined frames, act, look, plan again. Writes results.json and a GIF.

examples:
  python -m vfplan.plan env=push
  python -m vfplan.plan env=push num_tasks=0 run_dir=runs/benchmark gif=false
  python -m vfplan.plan env=push model=oracle planner=cem planner.samples=128
  python -m vfplan.plan env=push planner=random
  python -m vfplan.plan env=push checkpoint=runs/push/checkpoint cost=pixel goal_hand=true
"""


@dataclass(frozen=True)
class PlanConfig:
    """Configuration of `vfplan.plan`; the comments in `configs/plan.yaml` say what each key is."""

    env: PushConfig
    planner: PlannerConfig
    cost: GoalImageConfig | PixelConfig
    scoring: ScoringConfig
    control: ControlConfig
    model: Literal["videoflow", "oracle"] = "videoflow"
    checkpoint: str = ""
    tasks: Literal["benchmark", "dev"] = "benchmark"
    num_tasks: int = 6
    goal_hand: bool = False
    lockstep: int = 10
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    gif: bool = True
    device: str = "auto"
    seed: int = 0
    run_dir: str = ""

    def __post_init__(self) -> None:
        if self.num_tasks < 0:
            raise ValueError(f"num_tasks must be 0 (all) or more; got {self.num_tasks}")
        if self.lockstep < 1:
            raise ValueError(f"lockstep must be at least 1; got {self.lockstep}")
        if self.control.replan_every > self.planner.horizon:
            raise ValueError(
                f"control.replan_every={self.control.replan_every} exceeds planner.horizon={self.planner.horizon}"
            )
        if self.model == "oracle" and self.checkpoint:
            raise ValueError("model=oracle is the simulator itself and takes no checkpoint")


def plan(config: PlanConfig) -> None:
    """Run the tasks, print a line per task and a summary, write the run folder."""
    from vfplan.closed_loop import run

    run(config)


def _environments() -> dict[str, Any]:
    from envs.scene import PRESETS

    return dict(PRESETS)


def _planners() -> dict[str, Any]:
    import planners

    return {name: planners.config_class(name) for name in planners.NAMES}


def _costs() -> dict[str, Any]:
    from vfplan.costs import CONFIGS

    return dict(CONFIGS)


def _control() -> type:
    from vfplan.control import ControlConfig

    return ControlConfig


def _scoring() -> type:
    from vfplan.scoring import ScoringConfig

    return ScoringConfig


main = command(
    plan,
    PlanConfig,
    name="plan",
    help=HELP,
    sections={
        "env": _environments,
        "planner": _planners,
        "cost": _costs,
        "scoring": _scoring,
        "control": _control,
    },
)

if __name__ == "__main__":
    main()
