"""How a monitor is calibrated and tested. No torch here: `python -m vfplan.monitor --help` reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from vfplan.checks import within
from vfplan.control.settings import ClosedLoopConfig

if TYPE_CHECKING:
    from envs.scene import PushConfig
    from vfplan.control.surprise import SurpriseConfig
    from vfplan.costs import GoalImageConfig, PixelConfig


@dataclass(frozen=True, kw_only=True)
class MonitorConfig(ClosedLoopConfig):
    """Configuration of `vfplan.monitor`; the comments in `configs/monitor.yaml` say what each key is."""

    env: PushConfig
    cost: GoalImageConfig | PixelConfig
    surprise: SurpriseConfig
    calibration: str = ""
    calibration_episodes: int = within(40, 1, 1_000_000)
    false_alarms: float = within(0.05, 0.0001, 0.9999)
    faults: tuple[str, ...] = ("teleport", "friction", "actuator", "camera", "object", "blank")
    reactions: tuple[Literal["replan", "stop"], ...] = ("replan", "stop")
    episodes: int = within(20, 1, 1_000_000)
    fault_from: int = within(5, 0, 100_000)
    fault_to: int = within(15, 0, 100_000)

    def __post_init__(self) -> None:
        from envs.faults import FAULTS

        super().__post_init__()
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
