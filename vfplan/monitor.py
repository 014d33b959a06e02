"""Command: calibrate a monitor of the model's surprise, and test it with injected faults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from vfplan import sections
from vfplan.checks import require_at_least
from vfplan.cli.config import command

if TYPE_CHECKING:
    from envs.scene import PushConfig
    from planners.search import PlannerConfig
    from vfplan.control.loop import ControlConfig
    from vfplan.control.scoring import ScoringConfig
    from vfplan.control.surprise import SurpriseConfig
    from vfplan.costs import GoalImageConfig, PixelConfig

HELP = """
Calibrate an alarm on how surprising what is seen is to the model, and test it with injected faults. The threshold comes
from nominal closed-loop episodes of development tasks (split conformal, per episode), the test from benchmark tasks.
Writes surprise.json (for `vfplan.plan control.monitor=...`), monitor.json with AUROC, detection delay, false alarms and
success with each reaction, monitor.png and surprise.gif.

examples:
  python -m vfplan.monitor env=push
  python -m vfplan.monitor env=push faults=[] run_dir=runs/monitor               # only calibrate
  python -m vfplan.monitor env=push calibration=runs/monitor/surprise.json faults=[teleport,blank] episodes=50
  python -m vfplan.plan env=push control.on_surprise=replan control.monitor=runs/monitor/surprise.json
"""


@dataclass(frozen=True)
class MonitorConfig:
    """Configuration of `vfplan.monitor`; the comments in `configs/monitor.yaml` say what each key is."""

    env: PushConfig
    planner: PlannerConfig
    cost: GoalImageConfig | PixelConfig
    scoring: ScoringConfig
    control: ControlConfig
    surprise: SurpriseConfig
    checkpoint: str = ""
    calibration: str = ""
    calibration_episodes: int = 40
    false_alarms: float = 0.05
    faults: tuple[str, ...] = ("teleport", "friction", "actuator", "camera", "object", "blank")
    reactions: tuple[Literal["replan", "stop"], ...] = ("replan", "stop")
    episodes: int = 20
    fault_from: int = 5
    fault_to: int = 15
    lockstep: int = 10
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    threads: int = 0
    device: str = "auto"
    seed: int = 0
    run_dir: str = ""

    def __post_init__(self) -> None:
        from envs.faults import FAULTS

        require_at_least(self, calibration_episodes=1, episodes=1, lockstep=1, threads=0)
        if not 0 < self.false_alarms < 1:
            raise ValueError(f"false_alarms must be between 0 and 1; got {self.false_alarms}")
        for fault in self.faults:
            if fault not in FAULTS:
                raise ValueError(f"no fault {fault!r}; there are {', '.join(FAULTS)}")
        if not 0 <= self.fault_from <= self.fault_to < self.control.steps:
            raise ValueError(
                f"expected 0 <= fault_from <= fault_to < control.steps={self.control.steps}; "
                f"got {self.fault_from} and {self.fault_to}"
            )
        if self.control.on_surprise != "ignore" or self.control.monitor:
            raise ValueError("set reactions and calibration instead of control.on_surprise and control.monitor")
        self.control.require_horizon(self.planner.horizon)


def monitor(config: MonitorConfig) -> None:
    """Calibrate, inject the faults, print a table, write the run folder."""
    from vfplan.studies.monitor.run import run

    run(config)


def _surprise() -> type:
    from vfplan.control.surprise import SurpriseConfig

    return SurpriseConfig


main = command(monitor, MonitorConfig, name="monitor", help=HELP, sections={**sections.PLANNING, "surprise": _surprise})

if __name__ == "__main__":
    main()
