"""Command: calibrate a monitor of the model's surprise, and test it with injected faults."""

from __future__ import annotations

from vfplan import sections
from vfplan.cli.config import command
from vfplan.studies.monitor.settings import MonitorConfig

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


def monitor(config: MonitorConfig) -> None:
    """Calibrate, inject the faults, print a table, write the run folder."""
    from vfplan.studies.monitor.run import run

    run(config)


def _surprise() -> type:
    from vfplan.control.surprise import SurpriseConfig

    return SurpriseConfig


main = command(
    monitor,
    MonitorConfig,
    name="monitor",
    help=HELP,
    results="monitor.json",
    sections={**sections.PLANNING, "surprise": _surprise},
)

if __name__ == "__main__":
    main()
