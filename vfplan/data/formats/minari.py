"""Minari 0.5: a folder that `minari.load_dataset(NAME)` finds where MINARI_DATASETS_PATH is the folder above it.

data/metadata.json                    spaces of observations and actions, counts, where the data are from
data/main_data.hdf5: episode_K/       observations/{image,hand,object_xy} of T+1 steps; actions, rewards, terminations
                                      and truncations of T steps

Frames are exactly those of the store (`jpeg_encoding` false, which needs minari 0.5.4). Rewards are zero: a store has
none. An episode ends in a truncation.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from vfplan.data.checking import sound_episodes
from vfplan.data.episode import Episode
from vfplan.data.formats.base import WriteConfig
from vfplan.data.formats.hdf5 import created, write_record
from vfplan.data.store import EpisodeStore
from vfplan.errors import UserError
from vfplan.output.folder import published_folder
from vfplan.output.progress import Bar

DATASET_ID = re.compile(r"[-_.\w]+-v\d+")
MINARI_VERSION = "0.5.4"


def write(store: EpisodeStore, path: Path, config: WriteConfig) -> None:
    """Write a store as a data set of the name that `path` ends in. Raises UserError if that is none of Minari's."""
    if not DATASET_ID.fullmatch(path.name):
        raise UserError(f"Minari names data sets NAME-vVERSION, as in out=.../push-v0; found {path.name}")
    with published_folder(path) as folder:
        data = folder / "data"
        data.mkdir()
        with created(data / "main_data.hdf5", track_order=True) as (file, check):
            episodes = enumerate(sound_episodes(store, range(len(store))))
            for index, episode in Bar(episodes, total=len(store), unit="episode"):
                _write_episode(file.create_group(f"episode_{index}"), index, episode)
                check()
            write_record(file, store)
        size = (data / "main_data.hdf5").stat().st_size / 1e6
        (data / "metadata.json").write_text(json.dumps(_metadata(store, path.name, size)))


def _observed(episode: Episode) -> dict[str, NDArray[Any]]:
    """What is seen at each step, of what there is."""
    each = {"image": episode.frames, "hand": episode.hand, "object_xy": episode.object_xy}
    return {name: values for name, values in each.items() if values[0].size}


def _write_episode(group: h5py.Group, index: int, episode: Episode) -> None:
    length = len(episode)
    group.attrs["id"] = index
    group.attrs["total_steps"] = length
    group.attrs["policy"] = episode.policy
    observations = group.create_group("observations")
    for name, values in _observed(episode).items():
        observations.create_dataset(name, data=values)
    group.create_dataset("actions", data=episode.actions)
    group.create_dataset("rewards", data=np.zeros(length))
    group.create_dataset("terminations", data=np.zeros(length, bool))
    group.create_dataset("truncations", data=np.arange(1, length + 1) == length)


def _metadata(store: EpisodeStore, name: str, size: float) -> dict[str, Any]:
    first = store.episode(0)
    spaces = {key: _box(values) for key, values in _observed(first).items()}
    return {
        "total_episodes": len(store),
        "total_steps": int(store.lengths.sum()),
        "data_format": "hdf5",
        "jpeg_encoding": False,
        "observation_space": json.dumps({"type": "Dict", "subspaces": spaces}),
        "action_space": json.dumps(_box(first.actions, 1.0)),
        "dataset_id": name,
        "algorithm_name": store.meta.policy,
        "description": f"Episodes of {store.meta.env}, exported by vfplan; SHA-256 {store.digest}",
        "minari_version": MINARI_VERSION,
        "dataset_size": round(size, 1),
    }


def _box(values: NDArray[Any], bound: float = math.inf) -> dict[str, Any]:
    """Minari's description of the space that the steps of `values` are in."""
    shape = values.shape[1:]
    low, high = (0, 255) if values.dtype == np.uint8 else (-bound, bound)
    ends = {"low": np.full(shape, low).tolist(), "high": np.full(shape, high).tolist()}
    return {"type": "Box", "dtype": str(values.dtype), "shape": list(shape), **ends}
