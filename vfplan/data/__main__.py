"""Command: look after stores of episodes, `python -m vfplan.data VERB data=DIR`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vfplan.cli.config import Command, command
from vfplan.cli.one_line import one_line_errors
from vfplan.data import exporting, importing, inspecting, joining, previewing
from vfplan.data.exporting import ExportConfig
from vfplan.data.filling import Filled
from vfplan.data.importing import ImportConfig
from vfplan.data.inspecting import InspectConfig
from vfplan.data.joining import MergeConfig, SplitConfig
from vfplan.data.previewing import PreviewConfig
from vfplan.data.records import StoreMeta, read_meta
from vfplan.data.repairing import differing, missing
from vfplan.data.repairing import repair as repair_store
from vfplan.data.store import EpisodeStore
from vfplan.data.writing import command_of
from vfplan.errors import UserError
from vfplan.output.folder import write_json
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
INSPECT = """
Say what a store holds: episodes, actions, how often objects move, renderer, versions, hashes, and what is wrong.

  python -m vfplan.data inspect data=data/push
  python -m vfplan.data inspect data=data/push hashes=false out=push.json
"""
PREVIEW = """
Show a store: frames of some episodes on a sheet (PNG), and these episodes moving (GIF).

  python -m vfplan.data preview data=data/push
  python -m vfplan.data preview data=data/push episodes=16 steps=12 out=runs/look
"""
MERGE = """
Make one store of several, in their order. What must not differ (scene, renderer, action scale, versions) is refused, a
line for each difference, unless it is allowed. A killed merge goes on when the same command is run again.

  python -m vfplan.data merge data=[data/push,data/push-more] out=data/push-all
  python -m vfplan.data merge data=[data/push,data/old] out=data/both allow_mismatch=true
"""
SPLIT = """
Make two stores of one, to train on and to hold out. A killed split goes on when the same command is run again.

  python -m vfplan.data split data=data/push
  python -m vfplan.data split data=data/push held_out=200 shuffle=true seed=1 out=data/parts
"""
IMPORT = """
Make a store of data of another project. They are looked through first: bad ones are refused in one line, and nothing is
written. A killed import goes on when the same command is run again.

  python -m vfplan.data import format=swm source=pusht.h5 out=data/pusht image_size=64
  python -m vfplan.data import format=robomimic source=lift.hdf5 camera=agentview_image image_size=64
  python -m vfplan.data import format=robonet source=robonet/sawyer image_size=64 action_scale=[0.1,0.1,0.1,1.6,1]
"""
EXPORT = """
Write a store in the format of another project; all but lossy=true is exactly what was stored.

  python -m vfplan.data export data=data/push format=lerobot
  python -m vfplan.data export data=data/push format=lerobot lossy=true out=data/push-video
  python -m vfplan.data export data=data/push format=minari out=data/minari/push-v0
  python -m vfplan.data export data=data/push format=swm
  python -m vfplan.data export data=data/push format=robomimic
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


def inspect(config: InspectConfig) -> None:
    """Print what is in a store."""
    found = inspecting.inspect(config)
    for line in found.lines():
        print(line)
    if config.out:
        write_json(Path(config.out), found)
        print(f"wrote {config.out}")
    print(f"next: python -m vfplan.data {'repair' if found.wrong else 'preview'} data={config.data}")


def preview(config: PreviewConfig) -> None:
    """Write pictures of a store."""
    for path in previewing.preview(config):
        print(f"wrote {path}")
    print(f"next: python -m vfplan.train data={config.data}")


def merge(config: MergeConfig) -> None:
    """Write one store of several. Raises UserError if they differ in what they should not."""
    lines = joining.mismatches([EpisodeStore.open(path) for path in config.data])
    for line in lines:
        print(line)
    if lines and not config.allow_mismatch:
        raise UserError(
            f"{len(lines)} differences; allow_mismatch=true merges the stores nevertheless, and records them"
        )
    _tell(*joining.merge(config, lines))
    print(f"next: python -m vfplan.data inspect data={config.out}")


def split(config: SplitConfig) -> None:
    """Write two stores of one."""
    for filled, meta in joining.split(config):
        _tell(filled, meta)
    print(f"next: python -m vfplan.train data={config.folders['train']}")


def import_(config: ImportConfig) -> None:
    """Write a store of another project's data."""
    filled, meta = importing.import_store(config)
    _tell(filled, meta)
    print(f"next: python -m vfplan.data inspect data={filled.store}")


def export(config: ExportConfig) -> None:
    """Write a store in another project's format."""
    store = exporting.export_store(config)
    files = [config.path] if config.path.is_file() else [file for file in config.path.rglob("*") if file.is_file()]
    size = sum(file.stat().st_size for file in files) / 1e6
    how = "as video, which is not exact" if config.lossy else "exactly as stored"
    print(f"wrote {config.path}: {len(store)} episodes in {len(files)} files, {size:.1f} MB, frames {how}")
    print(f"next: {exporting.next_step(config)}")


def _tell(filled: Filled, meta: StoreMeta) -> None:
    size = sum(file.stat().st_size for file in filled.store.rglob("*.npy")) / 1e6
    print(f"wrote {filled.store}: {meta.episodes} episodes of up to {meta.length} actions, {size:.1f} MB")


def _verb(body: Any, schema: type, name: str, help: str) -> Command[Any]:
    return command(body, schema, name=name, help=help, folder="stores", called=f"data {name}")


VERBS: dict[str, Command[Any]] = {
    "inspect": _verb(inspect, InspectConfig, "inspect", INSPECT),
    "preview": _verb(preview, PreviewConfig, "preview", PREVIEW),
    "verify": _verb(verify, StoreConfig, "verify", VERIFY),
    "repair": _verb(repair, StoreConfig, "repair", REPAIR),
    "merge": _verb(merge, MergeConfig, "merge", MERGE),
    "split": _verb(split, SplitConfig, "split", SPLIT),
    "import": _verb(import_, ImportConfig, "import", IMPORT),
    "export": _verb(export, ExportConfig, "export", EXPORT),
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
