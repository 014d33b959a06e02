"""Command: look after stores of episodes, `python -m vfplan.data VERB data=DIR`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vfplan.cli.config import Command, command
from vfplan.cli.one_line import one_line_errors
from vfplan.data.records import read_meta
from vfplan.data.repairing import differing, missing
from vfplan.data.repairing import repair as repair_store
from vfplan.data.store import EpisodeStore
from vfplan.data.writing import command_of
from vfplan.errors import UserError
from vfplan.schema import unknown_message

VERIFY = """
Read every file of a store again and compare it with its SHA-256. Exit code 2 if one differs.

  python -m vfplan.data verify data=data/push
"""
REPAIR = """
Make a damaged store usable again: rebuild its manifest from its shards, put damaged shards aside (nothing is deleted),
and say which command makes their episodes anew.

  python -m vfplan.data repair data=data/push
"""


@dataclass(frozen=True)
class StoreConfig:
    """Which store."""

    data: str


def verify(config: StoreConfig) -> None:
    """Print every file that differs. Raises UserError if one does."""
    store = EpisodeStore.open(config.data)
    faults = list(differing(store))
    for fault in faults:
        print(fault)
    if faults:
        raise UserError(
            f"{config.data} is damaged, {len(faults)} files; mend it with: python -m vfplan.data repair "
            f"data={config.data}"
        )
    print(f"{config.data}: {len(store)} episodes in {len(store.records)} shards, all as they were written")


def repair(config: StoreConfig) -> None:
    """Save what can be saved, and say what was done and what is left to do."""
    path = Path(config.data)
    done = repair_store(path)
    for line in done.lines:
        print(line)
    meta = read_meta(path)
    assert meta is not None
    print(f"{path}: {meta.episodes - missing(meta, done.kept)} of {meta.episodes} episodes are whole and listed")
    if missing(meta, done.kept):
        made_by = command_of(path)
        print(f"next: {shlex.join(made_by) if made_by else 'the command that made the store'}  # makes the others anew")


VERBS: dict[str, Command[StoreConfig]] = {
    "verify": command(verify, StoreConfig, name="verify", help=VERIFY, folder="stores", called="data verify"),
    "repair": command(repair, StoreConfig, name="repair", help=REPAIR, folder="stores", called="data repair"),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the verb that the first argument names."""
    verb, *rest = (sys.argv[1:] if arguments is None else arguments) or [""]
    with one_line_errors():
        if verb in ("", "-h", "--help"):
            print("python -m vfplan.data VERB data=DIR\n\nverbs: " + ", ".join(VERBS))
            print("\npython -m vfplan.data VERB --help says more of each.")
            return
        if verb not in VERBS:
            raise UserError(unknown_message("verb", verb, VERBS))
    VERBS[verb](rest)


if __name__ == "__main__":
    main()
