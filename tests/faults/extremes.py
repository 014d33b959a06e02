"""Each number of `plan` and `train` at its ends and beyond: `python -m tests.faults.extremes seconds=10 memory_gb=6`.

Each value is tried in a process of its own, which is ended after so many seconds: more samples or steps are more work,
not a fault. Prints what ended in a traceback or died, what was still at work, and how many ended how.
"""

from __future__ import annotations

import collections
import math
import os
import re
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.commands.every_setting import main_of, settings
from tests.faults import small

PLAN = ["env=push", "tasks=dev", "num_tasks=1", "control.steps=2", "gif=false", "planner.samples=8", "planner.elites=2"]
PLAN += ["planner.iterations=2", "planner.horizon=3", "device=cpu", "threads=1"]


def values(field: Any) -> Iterator[str]:
    """Both ends of the range of a number, one beyond each, far out, and none at all, as a user writes them."""
    low, high = field.metadata["range"]
    for number in dict.fromkeys((low, low - 1, high if high < math.inf else 1e9, high + 1, -1e30, 1e30, math.nan)):
        if number == math.inf:
            continue
        text = ".nan" if number != number else str(int(number) if number == int(number) else number)
        yield f"[{text},{text}]" if "tuple" in str(field.type) else text


def cases(data: Path) -> Iterator[tuple[str, list[str]]]:
    """Every command with one extreme value."""
    for command, given in (("plan", PLAN), ("train", small.training(data, data.parent / "run", "learning.steps=2"))):
        for key, field, _, _ in settings(command, given):
            if "range" in field.metadata and "dict" not in str(field.type):
                kept = [word for word in given if not word.startswith(f"{key}=")]
                yield from ((command, [*kept, f"{key}={value}"]) for value in values(field))


def ended(command: str, given: list[str], log: Path, seconds: float, memory_gb: float) -> str:
    """How the command ends with this: refused, done, at work still, a traceback, or a signal."""
    child = os.fork()
    if child == 0:
        _run(command, given, log, int(memory_gb * 2**30))
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return _named(os.waitstatus_to_exitcode(status), log.read_text(errors="replace"))
        time.sleep(0.05)
    os.killpg(child, 9)
    os.waitpid(child, 0)
    return "at work still"


def _run(command: str, given: list[str], log: Path, memory: int) -> None:
    code: Any = 1
    try:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        with log.open("w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        main_of(command)(given)
        code = 0
    except SystemExit as exit:
        code = exit.code or 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _named(code: int, said: str) -> str:
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    if "Traceback" in said or code < 0:
        return "traceback" if code >= 0 else f"signal {-code}"
    if code == 2:
        return "refused" if len(errors) == 1 else "refused in more or less than a line"
    return "done" if code == 0 else f"code {code}"


def main() -> int:
    """Read the arguments, run, print; 1 for tracebacks and deaths."""
    options = {"seconds": 10.0, "memory_gb": 6.0}
    for word in sys.argv[1:]:
        match = re.fullmatch(r"(seconds|memory_gb)=([\d.]+)", word)
        if not match:
            print(f"error: expected seconds= and memory_gb=; got {word!r}", file=sys.stderr)
            return 2
        options[match[1]] = float(match[2])
    count: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        data = small.store(folder / "data")
        for number, (command, given) in enumerate(cases(data)):
            log = folder / "log"
            how = ended(command, [*given, f"run_dir={folder / 'runs' / str(number)}"], log, **options)
            count[how] += 1
            if how not in ("refused", "done"):
                last = (log.read_text(errors="replace").strip().splitlines() or [""])[-1]
                print(f"{how}: {command} {given[-1]}: {last[:200]}", flush=True)
    print(f"{sum(count.values())} values: " + ", ".join(f"{number} {how}" for how, number in count.most_common()))
    return int(any(how not in ("refused", "done", "at work still") for how in count))


if __name__ == "__main__":
    sys.exit(main())
