"""Lockstep groups of episodes on disk: a file each, written whole as the group ends, so that a run can go on.

E problem (episode), T step.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfplan.control.loop import Failure, Trajectory
from vfplan.control.surprise import Surprise
from vfplan.errors import UserError, said
from vfplan.output.about import About
from vfplan.output.folder import write_bytes

Arrays = dict[str, NDArray[Any]]

MOST_BYTES = 2**28
"""Of a task, unpacked: more than 100 times what one of 30 actions at 128x128 has."""


class Recording:
    """The groups of one run. Creating the object touches no disk."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self.folder = folder
        self.about = About(folder / "about.json", settings, "give another run_dir")

    def check(self) -> None:
        """Raise UserError if the folder holds episodes of something else."""
        self.about.check()

    def read(self, group: range) -> Trajectory | None:
        """What happened to the tasks of a group; None if they have not been run. Raises UserError for a broken file."""
        path = self._file(group)
        if not path.is_file():
            return None
        try:
            _require_bounded(path, len(group))
            with np.load(path, allow_pickle=False) as arrays:
                return _trajectory(dict(arrays))
        except Exception as error:  # what numpy and zipfile raise for broken files is no closed set
            raise UserError(f"{path} is damaged ({type(error).__name__}: {said(error)}); remove it") from error

    def write(self, group: range, trajectory: Trajectory) -> None:
        """Write a group, and first what its run is."""
        self.about.write()
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **_arrays(trajectory))
        write_bytes(self._file(group), buffer.getvalue())

    def _file(self, group: range) -> Path:
        return self.folder / f"tasks-{group[0]:04d}-{group[-1]:04d}.npz"


def _arrays(trajectory: Trajectory) -> Arrays:
    arrays: Arrays = {
        "frames": trajectory.frames,
        "actions": trajectory.actions,
        "plan_seconds": np.array(trajectory.plan_seconds),
        "failures": np.array([(each.episode, each.step) for each in trajectory.failures], np.int64).reshape(-1, 2),
        "errors": np.array([each.error for each in trajectory.failures], np.str_),
    }
    for name in ("imagined", "plan_costs"):
        if (value := getattr(trajectory, name)) is not None:
            arrays[name] = value
    if trajectory.surprise is not None:
        arrays |= {f"surprise.{name}": value for name, value in asdict(trajectory.surprise).items()}
    return arrays | {f"info.{key}": values for key, values in _numbers(trajectory.infos).items()}


def _require_bounded(path: Path, tasks: int) -> None:
    """Raise ValueError for more than so many tasks can take: compressed, a small file may fill all memory."""
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > tasks * MOST_BYTES:
        raise ValueError(f"{size >> 20} MiB unpacked, more than {MOST_BYTES >> 20} for each of {tasks} tasks")


def _numbers(infos: Sequence[Sequence[Mapping[str, Any]]]) -> Arrays:
    """The entries of all infos that are numbers, or arrays of one shape, as (E, T, ...); others are left out."""
    found: Arrays = {}
    steps = [info for episode in infos for info in episode]
    for key in steps[0]:
        values = [np.asarray(info[key]) for info in steps if key in info]
        if len(values) == len(steps) and len({value.shape for value in values}) == 1 and values[0].dtype.kind in "biuf":
            found[key] = np.stack(values).reshape(len(infos), -1, *values[0].shape)
    return found


def _trajectory(arrays: Arrays) -> Trajectory:
    parts = {key.partition(".")[2]: value for key, value in arrays.items() if key.startswith("surprise.")}
    known = {key.partition(".")[2]: value for key, value in arrays.items() if key.startswith("info.")}
    episodes, steps = arrays["actions"].shape[:2]
    places = zip(arrays["failures"].tolist(), arrays["errors"].tolist(), strict=True)
    return Trajectory(
        frames=arrays["frames"],
        actions=arrays["actions"],
        infos=[[{key: value[e, t] for key, value in known.items()} for t in range(steps)] for e in range(episodes)],
        imagined=arrays.get("imagined"),
        plan_costs=arrays.get("plan_costs"),
        plan_seconds=tuple(arrays["plan_seconds"].tolist()),
        surprise=Surprise(**parts) if parts else None,
        failures=tuple(Failure(episode, step, error) for (episode, step), error in places),
    )
