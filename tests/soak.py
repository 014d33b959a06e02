"""Collection, training and planning in turn in one process, for a time: `python -m tests.soak minutes=30 out=soak`.

Each minute a line of `soak.csv`: memory of this process and open files; at the end `soak.png`, and the slope of memory
after the first five minutes, which the caches of libraries fill. Ends with 1 if it is 1 MB a minute or more, or if more
files are open than after the first round.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.faults import small
from vfplan.collect import main as collect
from vfplan.output.charts import encoded
from vfplan.plan import main as plan
from vfplan.train import main as train

WARM = 5.0
"""Minutes that do not count."""
MOST = 1.0
"""MB a minute."""
LOOP = ["env=push", "tasks=dev", "num_tasks=2", "control.steps=3", "device=cpu", "threads=1", "gif=false"]
LOOP += ["planner.samples=8", "planner.elites=2", "planner.iterations=2", "control.replan_every=1"]


def memory() -> float:
    """What this process has in memory now, MB."""
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def open_files() -> int:
    """Descriptors of this process."""
    return len(list(Path("/proc/self/fd").iterdir()))


def turns(work: Path) -> Iterator[str]:
    """One round: data, a training that is gone on with, plans with the model that ships."""
    data = work / "collected"
    collect([*small.collecting(data), f"run_dir={work / 'record'}"])
    yield "collect"
    for steps in (40, 80):
        train(small.training(work.parent / "slip", work / "run", f"learning.steps={steps}", "allow_mismatch=true"))
        yield "train"
    plan([*LOOP, f"run_dir={work / 'plan'}"])
    yield "plan"


def soak(minutes: float, out: Path) -> tuple[float, int, int]:
    """Go round until then; MB a minute after the warm-up, files open after the first round and at the end."""
    rows: list[tuple[float, float, int, int]] = []
    first_files, last_files, rounds, began = 0, 0, 0, time.monotonic()
    with tempfile.TemporaryDirectory() as place, (out / "soak.csv").open("w") as file:
        file.write("minute,memory_mb,open_files,rounds\n")
        with quiet():
            small.store(Path(place) / "slip")
        while (now := (time.monotonic() - began) / 60) < minutes:
            work = Path(place) / "round"
            with quiet():
                for _ in turns(work):
                    now = (time.monotonic() - began) / 60
                    if now >= len(rows):
                        rows.append((now, memory(), open_files(), rounds))
                        file.write(f"{now:.2f},{rows[-1][1]:.1f},{rows[-1][2]},{rounds}\n")
                        file.flush()
            shutil.rmtree(work)
            rounds += 1
            last_files = open_files()  # here, for the picture's font stays open
            first_files = first_files or last_files
    late = np.array([row[:2] for row in rows if row[0] >= WARM])
    slope = float(np.polyfit(late[:, 0], late[:, 1], 1)[0]) if len(late) > 2 else float("nan")
    (out / "soak.png").write_bytes(picture(rows, slope))
    return slope, first_files, last_files


def picture(rows: list[tuple[float, float, int, int]], slope: float) -> bytes:
    """Memory and open files over time."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.2), layout="constrained")
    left = figure.subplots()
    minutes, memories, files, _ = zip(*rows, strict=True)
    left.plot(minutes, memories, marker="o", markersize=3, color="C0")
    left.set(xlabel="minutes", ylabel="memory, MB", ylim=(0, 1.3 * max(memories)))
    right = left.twinx()
    right.plot(minutes, files, marker="s", markersize=3, color="C1")
    right.set(ylabel="open files", ylim=(0, 2 * max(files)))
    left.yaxis.label.set_color("C0")
    right.yaxis.label.set_color("C1")
    left.set_title(f"{rows[-1][3]} rounds of collect, train, plan: {slope:+.2f} MB a minute after {WARM:.0f}")
    return encoded(figure)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without what the commands print, unless one fails."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            yield
    except BaseException:
        print(printed.getvalue())
        raise


def main() -> int:
    """Read the arguments, run, print; 1 if memory or files grow."""
    given = {"minutes": "30", "out": "soak"}
    for word in sys.argv[1:]:
        key, _, value = word.partition("=")
        if key not in given:
            print(f"error: expected minutes= and out=; got {word!r}", file=sys.stderr)
            return 2
        given[key] = value
    out = Path(given["out"])
    out.mkdir(parents=True, exist_ok=True)
    slope, before, after = soak(float(given["minutes"]), out)
    print(f"memory {slope:+.2f} MB a minute, open files {before} after the first round, {after} at the end: {out}")
    return int(not slope < MOST or after > before)


if __name__ == "__main__":
    sys.exit(main())
