"""Episodes on disk: a folder per row with what the row is, and one JSON per task. Written whole or not at all."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from envs.task_set import TaskSet
from vfplan.control.loop import Trajectory
from vfplan.errors import UserError
from vfplan.output.folder import write_json
from vfplan.reading import read_object
from vfplan.schema import from_mapping

ABOUT = "row.json"


@dataclass(frozen=True)
class Episode:
    """What a row did with a task."""

    task: int
    """Index in the task set."""
    lockstep_group: tuple[int, int]
    """First and last of the tasks that were run side by side."""
    distance_cm: tuple[float, ...]
    """Of the target object from its goal: at the start, then after each action."""
    actions: tuple[tuple[float, ...], ...]
    plan_cost: tuple[float | None, ...]
    """Cost of the chosen plan at each planning; None where every plan was rejected."""
    plan_seconds: tuple[float, ...]
    """Wall time of each planning, divided by the number of tasks side by side."""
    replan_every: int
    commit: str | None
    """Of the code that ran it; None outside a checkout."""

    @property
    def seconds_spent(self) -> list[float]:
        """Planning time before the end of each action."""
        spent = np.cumsum(self.plan_seconds or [0.0])
        return [float(spent[min(i // self.replan_every, len(spent) - 1)]) for i in range(len(self.actions))]


def episodes(
    group: range, tasks: TaskSet, trajectory: Trajectory, *, replan_every: int, commit: str | None
) -> list[Episode]:
    """The episodes of a group run in lockstep."""
    distances = tasks.select(group).distances_cm(trajectory.infos)
    share, costs = tuple(seconds / len(group) for seconds in trajectory.plan_seconds), trajectory.plan_costs
    return [
        Episode(
            task=task,
            lockstep_group=(group[0], group[-1]),
            distance_cm=tuple(distances[index].tolist()),
            actions=tuple(map(tuple, trajectory.actions[index].tolist())),
            plan_cost=() if costs is None else tuple(c if math.isfinite(c) else None for c in costs[:, index].tolist()),
            plan_seconds=share,
            replan_every=replan_every,
            commit=commit,
        )
        for index, task in enumerate(group)
    ]


class RowFolder:
    """The episodes of one row. Creating the object touches no disk."""

    def __init__(self, path: Path, about: Mapping[str, Any]) -> None:
        self.path = path
        self.about = json.loads(json.dumps(about))

    def check(self) -> None:
        """Raise UserError if the folder holds episodes of something else."""
        if not (self.path / ABOUT).is_file():
            return
        there = _read(self.path / ABOUT)
        changes = _changes(there, self.about)
        if changes:
            key, old, new = changes[0]
            raise UserError(
                f"{self.path} holds episodes with {key}={old}, not {new}: take another run_dir, or name the row anew"
            )

    def has(self, group: range) -> bool:
        """Whether the episodes of a group, run side by side, are all there."""
        if not all(self._file(task).is_file() for task in group):
            return False
        return all(self.read(task).lockstep_group == (group[0], group[-1]) for task in group)

    def write(self, found: Sequence[Episode]) -> None:
        """Write episodes, and first what the row is."""
        if not (self.path / ABOUT).is_file():
            write_json(self.path / ABOUT, self.about)
        for episode in found:
            write_json(self._file(episode.task), asdict(episode))

    def read(self, task: int) -> Episode:
        """The episode of a task. Raises UserError if the file is damaged."""
        path = self._file(task)
        values = _read(path)
        try:
            return from_mapping(Episode, values)
        except UserError as error:
            raise UserError(f"{path} is damaged ({error}); remove it") from error

    def _file(self, task: int) -> Path:
        return self.path / f"{task:04d}.json"


def _read(path: Path) -> dict[str, Any]:
    try:
        return read_object(path)
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}); remove it") from error


def _changes(old: Any, new: Any, key: str = "") -> list[tuple[str, Any, Any]]:
    """Dotted keys whose values differ, with both values."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return [] if old == new else [(key, old, new)]
    prefix = f"{key}." if key else ""
    found = []
    for name in sorted({*old, *new}):
        found += _changes(old.get(name, "nothing"), new.get(name, "nothing"), f"{prefix}{name}")
    return found
