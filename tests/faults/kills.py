"""Random SIGKILLs of collections and trainings: `python -m tests.faults.kills count=500 seed=0`.

A run is killed at a random moment, started again, killed again, until it ends by itself; then the next run begins. Half
of the moments are within 0.3 s after a save (a shard, a checkpoint) began. Three things are counted:

* lost: a run that ended with other bytes than one that nobody killed, a finished shard that was written again, a
  logged step that is in no row, a newest checkpoint that is older than it was;
* missing or stale: after a kill, `checkpoint` leads nowhere, does not load, mixes steps or is older than it was, or
  once the next start has done its first work, than the newest that was whole before;
* litter: temporary files that are still there when the next start has done its first work.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from tqdm import tqdm

import tests.faults.small as small
from vfplan.collect import main as collect
from vfplan.data.store import EpisodeStore
from vfplan.models.checkpoint import load_checkpoint
from vfplan.output.folder import TEMPORARY_PREFIX, file_sha256, read_metrics
from vfplan.train import main as train
from vfplan.training.resuming import STATE
from vfplan.training.snapshots import Snapshots

AFTER_A_SAVE = 0.3
"""Seconds within which half of the kills come, after a save began; half of those in the first eighth."""
STEPS = 400


@dataclass
class Count:
    """What was found, with a line for each finding."""

    kills: int = 0
    runs: int = 0
    in_a_save: int = 0
    behind: int = 0
    """Kills between the two renames of a save: whole, and not linked before the next start."""
    lost: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    litter: list[str] = field(default_factory=list)

    def report(self) -> str:
        """One line of numbers, then one for each finding."""
        found = [*self.lost, *self.stale, *self.litter]
        return "\n".join(
            [
                f"{self.kills} kills ({self.in_a_save} while a save was under way) in {self.runs} runs: "
                f"{len(self.lost)} lost, {len(self.stale)} checkpoints missing or stale, {len(self.litter)} litter; "
                f"{self.behind} times the link waited for the next start",
                *found,
            ]
        )


def start(main: Callable[[list[str]], None], arguments: list[str], log: Path) -> int:
    """Run a command in a process of its own, which has everything loaded; its number."""
    child = os.fork()
    if child:
        return child
    os.setsid()
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    # The usual one is shared with all processes that are forked, and stays locked when one of them is killed.
    tqdm.set_lock(threading.RLock())
    code = 1
    try:
        main(arguments)
        code = 0
    except SystemExit as error:
        code = int(error.code or 0)
    finally:
        os._exit(code)


def ended(child: int) -> int | None:
    """Its exit code, None while it runs."""
    found, status = os.waitpid(child, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def killed(child: int, saving: Callable[[], bool], draw: random.Random, patience: float) -> int | None:
    """Kill a process at a random moment, alone or with its group; its exit code if it ended before, else None."""
    wait = draw.random() < 0.5
    deadline = time.monotonic() + (60.0 if wait else draw.uniform(0, patience))
    while time.monotonic() < deadline:
        if (code := ended(child)) is not None:
            return code
        if wait and saving():
            wait, deadline = False, time.monotonic() + AFTER_A_SAVE * draw.random() ** 3
        time.sleep(0.001)
    if draw.random() < 0.5:
        with contextlib.suppress(ProcessLookupError):  # it has no group of its own yet
            os.killpg(child, signal.SIGKILL)
    os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return None if code == -signal.SIGKILL else code


def litter(folder: Path) -> set[Path]:
    """Temporary files and folders in it."""
    return set(folder.rglob(f"{TEMPORARY_PREFIX}*"))


@dataclass(frozen=True)
class Victim:
    """A command that is killed, and where its work shows."""

    main: Callable[[list[str]], None]
    arguments: list[str]
    folder: Path
    saves: Path
    """Where a temporary folder appears when a save begins."""
    progress: str
    """What files or folders of `folder` grow in size or number when it works."""
    patience: float
    """Seconds until a kill that waits for no save, at most."""

    def work(self) -> tuple[int, int]:
        """Changes when it has worked."""
        found = list(self.folder.glob(self.progress))
        return len(found), sum(path.stat().st_size for path in found)

    def saving(self) -> set[Path]:
        """The saves that have begun and not ended."""
        return set(self.saves.glob(f"{TEMPORARY_PREFIX}*"))


def lives(victim: Victim, count: Count, most: int, draw: random.Random) -> Iterator[bool]:
    """Start a command again and again until it ends by itself, with `most` kills at most.

    Yields after each kill whether it had worked.
    """
    folder, log = victim.folder, victim.folder.with_suffix(".log")
    while True:
        left, work, begun = litter(folder), victim.work(), victim.saving()
        child = start(victim.main, victim.arguments, log)
        if count.kills < most:
            code = killed(child, lambda begun=begun: bool(victim.saving() - begun), draw, victim.patience)
        else:  # what a run was worth is seen at its end
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        worked = victim.work() != work
        if worked or code is not None:
            count.litter += [f"{path} stayed" for path in left & litter(folder)]
        if code is not None:
            if code:
                count.lost.append(f"{folder}: exit code {code}: {log.read_text().splitlines()[-1]}")
            return
        count.kills += 1
        count.in_a_save += bool(litter(folder) - left)
        yield worked


def trained(folder: Path, data: Path, expected: str, count: Count, most: int, draw: random.Random) -> None:
    """One training until it ends by itself."""
    seen = Seen()
    arguments = small.training(data, folder, f"learning.steps={STEPS}", "save_every=5")
    victim = Victim(train, arguments, folder, folder / "checkpoints", "metrics.jsonl", 2.0)
    for worked in lives(victim, count, most, draw):
        seen = checked(folder, seen, seen.newest if worked else seen.linked, count)
    if not count.lost and file_sha256(folder / "checkpoint" / "model.safetensors") != expected:
        count.lost.append(f"{folder}: other weights")
    logged = {row["step"] for row in read_metrics(folder / "metrics.jsonl")}
    if missing := set(range(1, STEPS + 1)) - logged:
        count.lost.append(f"{folder}: no rows of steps {sorted(missing)}")
    if litter(folder):
        count.litter.append(f"{folder}: {sorted(litter(folder))} at the end")


@dataclass(frozen=True)
class Seen:
    """The steps of the newest whole checkpoint and of the linked one."""

    newest: int = 0
    linked: int = 0


def checked(folder: Path, seen: Seen, due: int, count: Count) -> Seen:
    """What is there after a kill, where the link must have come to step `due`."""
    found = Snapshots(folder).newest(count.lost.append)
    newest = int(found.name.removeprefix("step-")) if found else 0
    if newest < seen.newest:
        count.lost.append(f"{folder}: step {newest}, where step {seen.newest} was")
    link = folder / "checkpoint"
    if not link.exists():
        # The very first one has no link for an instant.
        if due:
            count.stale.append(f"{link} leads nowhere, where step {due} was")
        count.behind += bool(newest)
        return Seen(newest, 0)
    try:
        linked = load_checkpoint(link).training["steps"]
        state = torch.load(link / STATE, weights_only=True)["steps_done"]
    except Exception as error:
        count.stale.append(f"{link}: {error}")
        return Seen(newest, due)
    if state != linked or linked < due:
        count.stale.append(f"{link}: weights of step {linked}, state of step {state}, where step {due} was")
    count.behind += linked < newest
    return Seen(newest, linked)


def collected(folder: Path, expected: str, count: Count, most: int, draw: random.Random) -> None:
    """One collection until it ends by itself."""
    finished: dict[Path, int] = {}
    for _ in lives(Victim(collect, small.collecting(folder), folder, folder, "shard-*", 4.0), count, most, draw):
        now = {path: path.stat().st_mtime_ns for path in folder.glob("shard-*/*.npy")}
        count.lost += [f"{path} went or was written again" for path in finished if now.get(path) != finished[path]]
        finished = now
    store = EpisodeStore.open(folder)
    store.verify()
    if store.digest != expected:
        count.lost.append(f"{folder}: other bytes")
    if litter(folder):
        count.litter.append(f"{folder}: {sorted(litter(folder))} at the end")


def campaign(count: int, seed: int, work: Path) -> Count:
    """So many kills, half of them of collections."""
    torch.set_num_threads(1)
    draw, found = random.Random(seed), Count()
    data, whole = small.store(work / "data"), work / "undisturbed"
    finish(start(train, small.training(data, whole, f"learning.steps={STEPS}", "save_every=5"), work / "first.log"))
    finish(start(collect, small.collecting(work / "collected"), work / "first.log"))
    weights = file_sha256(whole / "checkpoint" / "model.safetensors")
    digest = EpisodeStore.open(work / "collected").digest
    for most, what in ((count // 2, "collect"), (count, "train")):
        while found.kills < most:
            folder = work / f"{what}-{found.runs}"
            if what == "collect":
                collected(folder, digest, found, most, draw)
            else:
                trained(folder, data, weights, found, most, draw)
            shutil.rmtree(folder)
            found.runs += 1
            print(found.report().splitlines()[0], flush=True)
    return found


def finish(child: int) -> None:
    """Wait for a process that nobody kills."""
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def main() -> int:
    """Read `count=` and `seed=`, run, print; 1 if anything was found."""
    given = {"count": 500, "seed": 0}
    for word in sys.argv[1:]:
        key, _, value = word.partition("=")
        if key not in given or not value.isdecimal():
            print(f"error: expected count=N and seed=N, got {word!r}", file=sys.stderr)
            return 2
        given[key] = int(value)
    with tempfile.TemporaryDirectory() as work:
        found = campaign(given["count"], given["seed"], Path(work))
    print(found.report())
    return bool(found.lost or found.stale or found.litter)


if __name__ == "__main__":
    sys.exit(main())
