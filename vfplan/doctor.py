"""Command: whether vfplan can work here, and what to do where it cannot."""

from __future__ import annotations

import sys

from vfplan.cli.config import command
from vfplan.plan import main as plan
from vfplan.studies.doctor.settings import DoctorConfig

HELP = """
Look at what vfplan works with here: versions, processor, memory, disk, device, drawing, and a self-test of a few
seconds that draws, scores a frame and plans with the model that ships for push. Says what to do about what is wrong,
and ends with code 1 if anything is. Writes nothing.

examples:
  python -m vfplan.doctor
  python -m vfplan.doctor device=cuda
"""


def doctor(config: DoctorConfig) -> None:
    """Print a line per finding, and what to do; exit with code 1 if anything is wrong."""
    from vfplan.studies.doctor.run import run

    if not run(config, plan.configuration):
        sys.exit(1)


main = command(doctor, DoctorConfig, name="doctor", help=HELP)

if __name__ == "__main__":
    main()
