"""robomimic HDF5: a group for each demonstration, with observations before its actions and after them.

data/demo_K/actions          (T, A)            data (attributes)         total, env_args (JSON)
data/demo_K/obs/CAMERA       (T, Y, X, 3)      data/demo_K (attribute)   num_samples = T
data/demo_K/next_obs/CAMERA  (T, Y, X, 3)      data/demo_K/{rewards,dones,states}

The last frame of an episode is the last of `next_obs`. Files without it (robomimic leaves it out on request) lose their
last action: nothing shows where it led.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from vfplan.data.checking import sound_episodes
from vfplan.data.episode import Episode
from vfplan.data.formats.base import (
    OneFile,
    Reach,
    ReadConfig,
    WriteConfig,
    origin_of,
    require_frames,
    resized,
    scaled,
)
from vfplan.data.formats.hdf5 import (
    array,
    created,
    group,
    names,
    number,
    opened,
    read_record,
    text,
    write_record,
)
from vfplan.data.store import EpisodeStore
from vfplan.errors import BadSourceError
from vfplan.output.folder import published_file
from vfplan.output.progress import Bar

CAMERA = "agentview_image"
DEMO = re.compile(r"demo_(\d{1,9})")
GYM = 2  # robomimic's number for environments of Gym
OWN = {"hand": ("f", 2), "object_xy": ("f", 3)}
"""Observations that our own files have, their type and axes."""


@dataclass(frozen=True)
class RobomimicFile(OneFile):
    """A file that was looked through."""

    demos: tuple[str, ...]

    def episodes(self, indices: range) -> Iterator[Episode]:
        """Read these."""
        with opened(self.path) as file:
            own, data = read_record(file) is not None, group(file, "data")
            for index in indices:
                demo = group(data, self.demos[index])
                camera = self.config.camera or _camera(demo)
                found = {name: _observed(demo, name) for name in OWN if own and name in names(group(demo, "obs"))}
                length = self.lengths[index]
                yield Episode(
                    frames=resized(_observed(demo, camera)[: length + 1], self.config),
                    actions=scaled(array(demo, "actions", "f", 2)[:length], self.config),
                    hand=found.get("hand", np.zeros((length + 1, 0))).astype(np.float32),
                    object_xy=found.get("object_xy", np.zeros((length + 1, 0, 2))).astype(np.float32),
                    policy=text(demo, "policy") if own else "unknown",
                )


def read(path: Path, config: ReadConfig, report: Callable[[], None]) -> RobomimicFile:
    """Look through a file, with a report after each episode. Raises UserError if it is not of this format."""
    with opened(path) as file:
        recorded, data = read_record(file), group(file, "data")
        demos = _demos(data)
        reach, lengths, sizes = Reach(config), [], set()
        for name in demos:
            demo = group(data, name)
            camera = config.camera or _camera(demo)
            lengths.append(_look(demo, camera, config, reach, own=recorded is not None))
            sizes.add(group(demo, "obs")[camera].shape[1:])
            report()
        reach.require_within_scale(path)
        if len(sizes) > 1 and not config.image_size:
            raise BadSourceError(f"{path}: frames of {len(sizes)} sizes; give image_size= to resize them")
    origin = origin_of(recorded, "robomimic", config, max(sizes)[0])
    return RobomimicFile(path, config, origin, tuple(lengths), tuple(demos))


def write(store: EpisodeStore, path: Path, config: WriteConfig) -> None:
    """Write a store as a file that robomimic reads; frames are packed without loss."""
    with published_file(path) as temporary, created(temporary) as (file, check):
        data = file.create_group("data")
        data.attrs["total"] = int(store.lengths.sum())
        data.attrs["env_args"] = json.dumps({"env_name": store.meta.env, "env_type": GYM, "env_kwargs": {}})
        episodes = enumerate(sound_episodes(store, range(len(store))))
        for index, episode in Bar(episodes, total=len(store), unit="episode"):
            _write_demo(data.create_group(f"demo_{index}"), episode)
            check()
        write_record(file, store)


def _demos(data: h5py.Group) -> list[str]:
    """The demonstrations in the order of their numbers."""
    found = names(data)
    for name in found:
        if not DEMO.fullmatch(name):
            raise BadSourceError(f"{data.file.filename}: expected demo_0, demo_1, ... in data, found {name}")
    if not found:
        raise BadSourceError(f"{data.file.filename}: no demonstrations in data")
    return sorted(found, key=lambda name: (int(name[5:]), name))


def _camera(demo: h5py.Group) -> str:
    """The one observation that is an image. Raises BadSourceError if there are several, or none."""
    observations = group(demo, "obs")
    found = [name for name in names(observations) if name not in OWN and _is_image(observations, name)]
    if CAMERA in found:
        return CAMERA
    if len(found) != 1:
        raise BadSourceError(f"{demo.file.filename}: give camera=, one of: {', '.join(found) or 'no images found'}")
    return found[0]


def _is_image(observations: h5py.Group, name: str) -> bool:
    link = observations.get(name, getlink=True)
    found = observations[name] if isinstance(link, h5py.HardLink) else None
    return isinstance(found, h5py.Dataset) and len(found.shape or ()) == 4


def _look(demo: h5py.Group, camera: str, config: ReadConfig, reach: Reach, *, own: bool) -> int:
    """How many actions of a demonstration lead to a frame. Raises BadSourceError if its parts do not fit."""
    where = f"{demo.file.filename}: {demo.name}"
    actions, said = array(demo, "actions", "f", 2), number(demo, "num_samples")
    if said is not None and said != len(actions):
        raise BadSourceError(f"{where}: num_samples is {said}, but there are {len(actions)} actions")
    wanted = {camera: ("B", 4), **(OWN if own else {})}
    after = "next_obs" in demo
    for part in ("obs", "next_obs") if after else ("obs",):
        place = group(demo, part)
        for name, (kinds, rank) in wanted.items():
            if name in names(place) or name == camera:
                shape = array(place, name, kinds, rank).shape
                if shape[0] != len(actions):
                    raise BadSourceError(f"{where}: {part}/{name} has {shape[0]} rows for {len(actions)} actions")
                if part == "next_obs" and shape != group(demo, "obs")[name].shape:
                    raise BadSourceError(f"{where}: {name} differs in shape between obs and next_obs")
    length = len(actions) if after else len(actions) - 1
    require_frames((length + 1, *group(demo, "obs")[camera].shape[1:]), config, where)
    reach.add(actions[:length], where)
    return length


def _observed(demo: h5py.Group, name: str) -> NDArray[Any]:
    """An observation before every action, and after the last where that is known."""
    kinds, rank = OWN.get(name, ("B", 4))
    before = array(group(demo, "obs"), name, kinds, rank)[:]
    if "next_obs" not in demo:
        return np.asarray(before)
    return np.concatenate([before, array(group(demo, "next_obs"), name, kinds, rank)[-1:]])


def _write_demo(demo: h5py.Group, episode: Episode) -> None:
    length = len(episode)
    demo.attrs["num_samples"] = length
    demo.attrs["policy"] = np.bytes_(episode.policy.encode())
    demo.create_dataset("actions", data=episode.actions)
    demo.create_dataset("rewards", data=np.zeros(length))
    demo.create_dataset("dones", data=np.arange(1, length + 1) == length, dtype=np.int64)
    demo.create_dataset("states", data=np.zeros((length, 0)))
    observed = {CAMERA: episode.frames, "hand": episode.hand, "object_xy": episode.object_xy}
    for part, rows in (("obs", slice(0, length)), ("next_obs", slice(1, length + 1))):
        place = demo.create_group(part)
        for name, values in observed.items():
            if values[0].size:
                packed = {"chunks": (1, *values.shape[1:]), "compression": "gzip"} if name == CAMERA else {}
                place.create_dataset(name, data=values[rows], **packed)
