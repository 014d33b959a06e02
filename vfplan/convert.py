"""Command: convert the BAIR robot pushing data into an episode store, without TensorFlow."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vfplan.checks import within
from vfplan.cli.config import command
from vfplan.data.bair import ACTION_NAMES, ACTION_SCALE, IMAGE_SIZE, ActionScale, BairSplit, Camera
from vfplan.data.episode import Episode
from vfplan.data.filling import FillConfig, fill_store, report
from vfplan.data.records import FORMAT_VERSION, StoreMeta
from vfplan.errors import UserError
from vfplan.output.folder import RunDir, package_versions

HELP = """
Convert the TFRecords of BAIR robot pushing (bair_robot_pushing_dataset_v0, unpacked) into an episode store.
Every record's checksums are verified. A killed run goes on when the same command is run again.

  python -m vfplan.convert source=downloads/softmotion30_44k
  python -m vfplan.convert source=downloads/softmotion30_44k split=test out=data/bair-test
  python -m vfplan.convert source=downloads/softmotion30_44k camera=image_main episodes=1000 out=data/bair-main
"""


@dataclass(frozen=True)
class ConvertConfig(FillConfig):
    """What to convert; the comments in `configs/convert.yaml` say what each key is."""

    source: str
    split: Literal["train", "test"] = "train"
    camera: Camera = "image_aux1"
    action_scale: ActionScale = within(ACTION_SCALE, 1e-9, 1e9)
    episodes: int = within(0, 0, 1_000_000_000)

    @property
    def folder(self) -> Path:
        """Where the store goes."""
        return Path(self.out or f"data/bair-{self.split}")


def convert(config: ConvertConfig) -> None:
    """Write the records that the store at `config.folder` lacks. Raises UserError."""
    run = RunDir(config.run_dir, config)
    records = BairSplit.open(Path(config.source) / config.split)
    meta = describe(config, records)
    filled = fill_store(config.folder, meta, functools.partial(_episodes, config, records), config)
    report(filled, meta, run, verb="convert")


def describe(config: ConvertConfig, records: BairSplit) -> StoreMeta:
    """All that decides about the bytes of the store. Raises UserError if the first record cannot be converted."""
    if config.episodes > len(records):
        raise UserError(f"episodes={config.episodes}, but {config.source}/{config.split} has {len(records)} records")
    first = records.episode(0, config.camera, config.action_scale)
    description = {
        "name": "bair",
        "image_size": IMAGE_SIZE,
        "split": config.split,
        "camera": config.camera,
        "action_names": list(ACTION_NAMES),
        "action_scale": list(config.action_scale),
        "records": len(records),
        "fingerprint": records.fingerprint,
    }
    return StoreMeta(
        version=FORMAT_VERSION,
        env="bair",
        episodes=config.episodes or len(records),
        shard_episodes=config.shard_episodes,
        length=len(first),
        seed=0,
        policy=first.policy,
        description=description,
        versions=package_versions(("vfplan", "numpy")),
    )


def _episodes(config: ConvertConfig, records: BairSplit, indices: range) -> Iterator[Episode]:
    """The episodes of these records, read in a worker process."""
    return (records.episode(index, config.camera, config.action_scale) for index in indices)


main = command(convert, ConvertConfig, name="convert", help=HELP, results="convert.json")

if __name__ == "__main__":
    main()
