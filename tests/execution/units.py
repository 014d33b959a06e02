"""Work for executors, as jobs anywhere import it."""

import os
import signal
import sys
import time
from pathlib import Path

from vfplan.errors import UserError


def square(unit, report):
    for _ in range(3):
        report()
    return unit, unit * unit


def dies_once(marks, unit, report):
    """Unit 1 is killed in its middle, the first time that somebody does it."""
    report()
    mark = Path(marks) / "died"
    if unit == 1 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    report()
    report()
    return unit, unit * unit


def dies(unit, report):
    os.kill(os.getpid(), signal.SIGKILL)


def hangs_once(marks, unit, report):
    report()
    mark = Path(marks) / "hung"
    if unit == 1 and not mark.exists():
        mark.touch()
        time.sleep(600)
    return unit, unit * unit


def fails(kind, unit, report):
    if unit == 1:
        raise {"user": UserError("expected a robot"), "system": OSError(28, "No space left")}.get(kind) or KeyError("x")
    return unit, unit


def naps(pids, unit, report):
    """Say who does a unit, and take for ever over it."""
    (Path(pids) / str(os.getpid())).touch()
    while True:
        report()
        time.sleep(0.05)


def where(unit, report):
    """The folder that paths are relative to, how many threads numbers get, and which plug-ins there are."""
    return str(Path.cwd()), os.environ["OMP_NUM_THREADS"], "marking_plug_in" in sys.modules


def drawn(mark, source, indices):
    """Episodes of a source; whoever comes to the third first is killed."""
    for index in indices:
        if index == 2 and mark and not Path(mark).exists():
            Path(mark).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        yield source.episode(0, index)
