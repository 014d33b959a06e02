"""Episodes on disk: a folder per row with what the row is, and one JSON per task. Written whole or not at all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from envs.task_set import TaskSet
from vfplan.control.loop import Trajectory
from vfplan.control.searches import Searches, searches_file, write_searches
from vfplan.errors import UserError
from vfplan.output.about import About, read_damaged
from vfplan.output.folder import write_json
from vfplan.schema import from_mapping


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
    error: str = ""
    """Why it failed, if its environment raised; nothing is concluded from it then."""

    @property
    def seconds_spent(self) -> list[float]:
        """Planning time before the end of each action."""
        spent = np.cumsum(self.plan_seconds or [0.0])
        return [float(spent[min(i // self.replan_every, len(spent) - 1)]) for i in range(len(self.actions))]


def episodes(
    group: range, tasks: TaskSet, trajectory: Trajectory, *, replan_every: int, commit: str | None
) -> list[Episode]:
    """The episodes of a group run in lockstep."""
    errors = {failure.episode: f"action {failure.step}: {failure.error}" for failure in trajectory.failures}
    share, costs = tuple(seconds / len(group) for seconds in trajectory.plan_seconds), trajectory.plan_costs
    return [
        Episode(
            task=task,
            lockstep_group=(group[0], group[-1]),
            distance_cm=() if index in errors else _distances(tasks, task, trajectory.infos[index]),
            actions=tuple(map(tuple, trajectory.actions[index].tolist())),
            plan_cost=() if costs is None else tuple(c if math.isfinite(c) else None for c in costs[:, index].tolist()),
            plan_seconds=share,
            replan_every=replan_every,
            commit=commit,
            error=errors.get(index, ""),
        )
        for index, task in enumerate(group)
    ]


def _distances(tasks: TaskSet, task: int, infos: Sequence[Any]) -> tuple[float, ...]:
    return tuple(tasks.select(range(task, task + 1)).distances_cm([infos])[0].tolist())


class RowFolder:
    """The episodes of one row. Creating the object touches no disk."""

    def __init__(self, path: Path, about: Mapping[str, Any]) -> None:
        self.path = path
        self.about = About(path / "row.json", about, "take another run_dir, or name the row anew")

    def check(self) -> None:
        """Raise UserError if the folder holds episodes of something else."""
        self.about.check()

    def has(self, group: range, *, searches: bool = False) -> bool:
        """Whether the episodes of a group, run side by side, are all there and none failed, with their searches."""
        if not all(self._file(task).is_file() for task in group):
            return False
        if searches and not searches_file(self.path, group).is_file():
            return False
        found = [self.read(task) for task in group]
        return all(each.lockstep_group == (group[0], group[-1]) and not each.error for each in found)

    def write(self, found: Sequence[Episode], searches: Searches | None = None) -> None:
        """Write the episodes of a group, and first what the row is and what was looked at."""
        self.about.write()
        if searches is not None:
            first, last = found[0].lockstep_group
            write_searches(searches_file(self.path, range(first, last + 1)), searches)
        for episode in found:
            write_json(self._file(episode.task), asdict(episode))

    def read(self, task: int) -> Episode:
        """The episode of a task. Raises UserError if the file is damaged."""
        path = self._file(task)
        values = read_damaged(path)
        try:
            return from_mapping(Episode, values)
        except UserError as error:
            raise UserError(f"{path} is damaged ({error}); remove it") from error

    def _file(self, task: int) -> Path:
        return self.path / f"{task:04d}.json"
