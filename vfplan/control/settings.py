"""How closed-loop episodes are run. No torch here: the commands' `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from vfplan.checks import MOST_SEED, require_ranges, within

if TYPE_CHECKING:
    from envs.base import EnvConfig
    from planners.search import PlannerConfig
    from vfplan.control.scoring import ScoringConfig
    from vfplan.costs import CostConfig

LEARNED, ORACLE = "learned", "oracle"
"""What `model` may be besides the family of a learned model: any learned one, or the simulator itself."""


@dataclass(frozen=True)
class ControlConfig:
    """How episodes are run."""

    steps: int = within(30, 1, 100_000)
    """Actions per episode."""
    replan_every: int = within(2, 1, 1000)
    """Actions executed before planning again."""
    on_surprise: Literal["ignore", "replan", "stop"] = "ignore"
    """What an alarm of the monitor does to its episode: nothing, a plan from a cold start at once, or zero actions from
    then on."""
    monitor: str = ""
    """The surprise.json that `vfplan.monitor` wrote; empty for no monitor."""

    def __post_init__(self) -> None:
        require_ranges(self)

    def require_horizon(self, horizon: int) -> None:
        """Raise ValueError unless plans of `horizon` actions last until the next one is made."""
        if self.replan_every > horizon:
            raise ValueError(f"control.replan_every={self.replan_every} exceeds planner.horizon={horizon}")


@dataclass(frozen=True, kw_only=True)
class ClosedLoopConfig:
    """What every command is told that runs closed-loop episodes; the comments in its YAML file say what each key is."""

    env: EnvConfig
    planner: PlannerConfig
    cost: CostConfig
    scoring: ScoringConfig
    control: ControlConfig
    checkpoint: str = ""
    lockstep: int = within(10, 1, 10_000)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    threads: int = within(0, 0, 1024)
    device: str = "auto"
    seed: int = within(0, 0, MOST_SEED)
    run_dir: str = ""

    def __post_init__(self) -> None:
        require_ranges(self)
        self.control.require_horizon(self.planner.horizon)


@dataclass(frozen=True, kw_only=True)
class SessionConfig(ClosedLoopConfig):
    """What is told of episodes of a task set, planned with a model or with the simulator."""

    model: str = LEARNED
    tasks: Literal["benchmark", "dev"] = "benchmark"
    num_tasks: int = within(10, 0, 1_000_000)
    goal_hand: bool = False


@dataclass(frozen=True, kw_only=True)
class PlanConfig(SessionConfig):
    """Configuration of `vfplan.plan`; the comments in `configs/plan.yaml` say what each key is."""

    gif: bool = True
    video: Literal["gif", "webp", "mp4"] = "gif"
    record: bool = False
    viz: Literal["none", "rerun"] = "none"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.model == ORACLE and self.checkpoint:
            raise ValueError("model=oracle is the simulator itself and takes no checkpoint")
        if self.model == ORACLE and self.planner.needs_gradients:
            raise ValueError(
                "model=oracle has no gradients, which planner=gradient and planner.refine_steps above 0 need; "
                f"expected model={LEARNED}, or a planner that only samples"
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
        if self.model == ORACLE and self.control.monitor:
            raise ValueError("model=oracle gives no likelihoods for control.monitor to watch")
