"""Lockstep groups of episodes on disk: a file each, written whole as the group ends, so that a run can go on.

E problem (episode), T step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from vfplan.control.loop import Failure, Trajectory
from vfplan.control.searches import Searches, read_searches, searches_file, write_searches
from vfplan.control.surprise import Surprise
from vfplan.errors import UserError, said
from vfplan.output.about import About
from vfplan.output.arrays import Arrays, read_arrays, write_arrays


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
        return read_group(path, len(group))

    def write(self, group: range, trajectory: Trajectory) -> None:
        """Write a group, and first what its run is and what was looked at."""
        self.about.write()
        if trajectory.searches is not None:
            write_searches(searches_file(self.folder, group), trajectory.searches)
        write_arrays(self._file(group), _arrays(trajectory))

    def has_searches(self, group: range) -> bool:
        """Whether it is kept what the planner looked at for a group."""
        return searches_file(self.folder, group).is_file()

    def searches(self, group: range) -> Searches | None:
        """What the planner looked at for a group; None if it is not kept. Raises UserError for a broken file."""
        if not self.has_searches(group):
            return None
        path = searches_file(self.folder, group)
        try:
            return read_searches(path, len(group))
        except Exception as error:  # what numpy and zipfile raise for broken files is no closed set
            raise UserError(f"{path} is damaged ({type(error).__name__}: {said(error)}); remove it") from error

    def _file(self, group: range) -> Path:
        return self.folder / f"tasks-{group[0]:04d}-{group[-1]:04d}.npz"


def read_group(path: Path, tasks: int) -> Trajectory:
    """What happened to the so many tasks that a file is about. Raises UserError for a broken file."""
    try:
        return _trajectory(read_arrays(path, tasks))
    except Exception as error:  # what numpy and zipfile raise for broken files is no closed set
        raise UserError(f"{path} is damaged ({type(error).__name__}: {said(error)}); remove it") from error


def _arrays(trajectory: Trajectory) -> Arrays:
    arrays: Arrays = {
        "frames": trajectory.frames,
        "actions": trajectory.actions,
        "plan_seconds": np.array(trajectory.plan_seconds),
        "failures": np.array([(each.episode, each.step) for each in trajectory.failures], np.int64).reshape(-1, 2),
        "errors": np.array([each.error for each in trajectory.failures], np.str_),
    }
    for name in ("goals", "imagined", "plan_costs"):
        if (value := getattr(trajectory, name)) is not None:
            arrays[name] = value
    if trajectory.surprise is not None:
        arrays |= {f"surprise.{name}": value for name, value in asdict(trajectory.surprise).items()}
    return arrays | {f"info.{key}": values for key, values in _numbers(trajectory.infos).items()}


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
        goals=arrays.get("goals"),
        imagined=arrays.get("imagined"),
        plan_costs=arrays.get("plan_costs"),
        plan_seconds=tuple(arrays["plan_seconds"].tolist()),
        surprise=Surprise(**parts) if parts else None,
        failures=tuple(Failure(episode, step, error) for (episode, step), error in places),
    )
