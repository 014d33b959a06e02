"""Recordings for the Rerun viewer (extra `vfplan[rerun]`): goals, frames, imagined futures and costs over time."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfplan.errors import UserError
from vfplan.output.folder import published_file
from vfplan.output.video import Frames


def require_rerun() -> None:
    """Raise UserError where the SDK is not installed."""
    if importlib.util.find_spec("rerun") is None:
        raise UserError("viz=rerun needs an extra: pip install 'vfplan[rerun]'")


@contextmanager
def recorded(path: Path, seconds: float) -> Iterator[RerunRecording]:
    """Record into `path`, which appears whole at the end; an action takes `seconds`."""
    import rerun

    with published_file(path) as temporary:
        stream = rerun.RecordingStream("vfplan")
        stream.save(temporary)
        yield RerunRecording(stream, seconds)
        stream.disconnect()  # which writes what waits, and closes the file


class RerunRecording:
    """Entities `task_N/goal`, `happened`, `imagined` and `plan_cost`, on the timelines `action` and `time`."""

    def __init__(self, stream: Any, seconds: float) -> None:
        self._stream, self._seconds = stream, seconds

    def add(self, task: int, goal: Frames, happened: Frames, imagined: Frames | None, costs: dict[int, float]) -> None:
        """One task: the goal (Y, X, 3), T + 1 frames, the T that were imagined, and the cost of each plan by action."""
        self._image(task, "goal", goal, None)
        for action, frame in enumerate(happened):
            self._image(task, "happened", frame, action)
        for action, frame in enumerate(() if imagined is None else imagined, start=1):
            self._image(task, "imagined", frame, action)
        for action, cost in costs.items():
            self._log(task, "plan_cost", _rerun().Scalars(float(cost)), action)

    def _image(self, task: int, name: str, frame: NDArray[np.uint8], action: int | None) -> None:
        self._log(task, name, _rerun().Image(frame), action)

    def _log(self, task: int, name: str, value: Any, action: int | None) -> None:
        if action is not None:
            self._stream.set_time("action", sequence=action)
            self._stream.set_time("time", duration=action * self._seconds)
        self._stream.log(f"task_{task}/{name}", value, static=action is None)


def _rerun() -> Any:
    import rerun

    return rerun
