"""Change files and read them, for a time: `python -m tests.fuzz seconds=600 seed=0 readers=all`.

`seconds` is for each reader. Each is tried in a process of its own that may take 1 GB more than it has when it begins;
one that dies or hangs in a library leaves the file it read. Findings are printed, and their files kept under `found=`.
"""

from __future__ import annotations

import os
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.mutations import mutated
from tests.fuzz.readers import READERS
from tests.fuzz.trying import SECONDS, Subject

MORE_MEMORY = 2**30


def limited() -> None:
    """Let this process take so much more memory than it has, and not more."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + MORE_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def tries(subject: Subject, seed: int, until: float, current: Path, log: Path) -> None:
    """Try until then, writing the file at hand to `current`, and a line for each new finding and the end to `log`."""
    limited()
    draw, known, count = random.Random(seed), set(), 0
    while time.monotonic() < until:
        data = mutated(subject.data, draw)
        current.write_bytes(data)
        found = subject.finding(data)
        count += 1
        kind = found[:20] + found.rpartition("(")[2][-60:]
        if found and kind not in known:
            known.add(kind)
            kept = current.with_name(f"{subject.name}-{seed}-{count}")
            kept.write_bytes(data)
            with log.open("a") as file:
                file.write(f"found {kept}: {found}\n")
        if count % 100 == 0:
            with log.open("a") as file:
                file.write(f"count {count}\n")
    with log.open("a") as file:
        file.write(f"count {count}\n")


def fuzz(name: str, seconds: float, seed: int, folder: Path) -> list[str]:
    """Try one reader in processes of its own, a new one after each that dies; what was found."""
    with tempfile.TemporaryDirectory() as place:
        subject = Subject(name, Path(place))
        findings, total, until = [], 0, time.monotonic() + seconds
        while time.monotonic() < until:
            current, log = folder / f"{name}.current", folder / f"{name}.log"
            for stale in (current, log):
                stale.unlink(missing_ok=True)
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    tries(subject, seed, until, current, log)
                    code = 0
                finally:
                    os._exit(code)
            code = waited(child, current, until)
            lines = log.read_text().splitlines() if log.exists() else []
            findings += [line.removeprefix("found ") for line in lines if line.startswith("found ")]
            total += max([int(line.split()[1]) for line in lines if line.startswith("count ")], default=0)
            if code != 0:
                kept = current.rename(folder / f"{name}-died-{seed}")
                findings.append(f"{kept}: the process {code}")
            seed += 1000
    print(f"{name}: {total} files, {len(findings)} findings", flush=True)
    return findings


def waited(child: int, current: Path, until: float) -> int | str:
    """How the process ended: 0, or words."""
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return code if code == 0 else f"ended with code {code}"
        written = current.stat().st_mtime if current.exists() else time.time()
        if time.time() - written > 4 * SECONDS:
            os.kill(child, 9)
            os.waitpid(child, 0)
            return "hung"
        time.sleep(0.05)


def main() -> int:
    """Read the arguments, run, print; 1 if anything was found."""
    given = {"seconds": "600", "seed": "0", "readers": "all", "found": "/tmp/vfplan-fuzz"}
    for word in sys.argv[1:]:
        key, _, value = word.partition("=")
        if key not in given:
            print(f"error: expected {', '.join(f'{name}=' for name in given)}; got {word!r}", file=sys.stderr)
            return 2
        given[key] = value
    folder = Path(given["found"])
    folder.mkdir(parents=True, exist_ok=True)
    names = list(READERS) if given["readers"] == "all" else given["readers"].split(",")
    findings = [found for name in names for found in fuzz(name, float(given["seconds"]), int(given["seed"]), folder)]
    print("\n".join(findings))
    return bool(findings)


if __name__ == "__main__":
    sys.exit(main())
