"""`run.rrd`: what was wanted, happened and was imagined at every step, and what plans cost, for the viewer of Rerun.

E problem (episode), K kept candidate, T step, Y row, X column, C channel.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfplan.control.loop import Trajectory
from vfplan.control.searches import Searches
from vfplan.output.video import png_bytes

FILE = "run.rrd"
STEP = "step"
"""The timeline: actions executed."""


class RerunView:
    """A recording of tasks, a page for each: goal, what happened and what was imagined, above the costs of plans.

    Kept in memory, for Rerun's own writer may wait for ever on a full disk; images are PNGs. A step lasts
    `step_seconds` where the viewer plays it.
    """

    def __init__(self, name: str, step_seconds: float) -> None:
        self._rerun: Any = importlib.import_module("rerun")
        self._layout: Any = importlib.import_module("rerun.blueprint")
        self._steps_per_second = 1 / step_seconds
        self._pages: list[Any] = []
        self._stream: Any = self._rerun.RecordingStream("vfplan")
        self._stream.set_log_time_enabled(False)
        self._stream.send_recording_name(name)
        self._memory: Any = self._stream.memory_recording()

    def add(
        self,
        first: int,
        goals: NDArray[np.uint8],
        trajectory: Trajectory,
        searches: Searches | None = None,
        *,
        replan_every: int,
    ) -> None:
        """Add a lockstep group of tasks whose first has the number `first`, with goals (E, Y, X, C)."""
        assert trajectory.imagined is not None and trajectory.plan_costs is not None
        for row, goal in enumerate(goals):
            place = f"task_{first + row:03d}"
            self._stream.log(f"{place}/goal", self._image(goal), static=True)
            for step, frame in enumerate(trajectory.frames[row]):
                self._log(step, f"{place}/happened", self._image(frame))
            for step, frame in enumerate(trajectory.imagined[row], start=1):
                self._log(step, f"{place}/imagined", self._image(frame))
            for plan, cost in enumerate(trajectory.plan_costs[:, row].tolist()):
                if np.isfinite(cost):
                    self._log(plan * replan_every, f"{place}/plan_cost", self._rerun.Scalars(cost))
            for plan, futures in enumerate([] if searches is None else searches.futures[:, row]):
                self._log(plan * replan_every, f"{place}/candidates", self._image(_sheet(futures)))
            self._pages.append(self._page(place, candidates=searches is not None))

    def content(self) -> bytes:
        """The content of the file."""
        layout = self._layout
        played = layout.TimePanel(state="collapsed", timeline=STEP, fps=self._steps_per_second)
        self._stream.send_blueprint(layout.Blueprint(layout.Tabs(*self._pages), played, collapse_panels=True))
        return bytes(self._memory.drain_as_bytes())

    def _log(self, step: int, place: str, value: Any) -> None:
        self._stream.set_time(STEP, sequence=step)
        self._stream.log(place, value)

    def _image(self, frame: NDArray[np.uint8]) -> Any:
        return self._rerun.EncodedImage(contents=png_bytes(frame), media_type="image/png")

    def _page(self, place: str, *, candidates: bool) -> Any:
        layout = self._layout
        films = [layout.Spatial2DView(origin=f"{place}/{name}", name=name) for name in ("goal", "happened", "imagined")]
        below = [layout.TimeSeriesView(origin=f"{place}/plan_cost", name="cost of each plan")]
        if candidates:
            name = "candidates: the cheapest, best first, and last the costliest"
            below.append(layout.Spatial2DView(origin=f"{place}/candidates", name=name))
        rows = layout.Horizontal(*films), layout.Horizontal(*below)
        return layout.Vertical(*rows, name=place.replace("_", " "))


def _sheet(futures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A row of thumbnails for each candidate of (K, T, y, x, C)."""
    rows, steps, height, width, channels = futures.shape
    return futures.transpose(0, 2, 1, 3, 4).reshape(rows * height, steps * width, channels)
