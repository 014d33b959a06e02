"""What `vfplan.plan` left: success, film strips, surprise over time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfplan.control.loop import Trajectory
from vfplan.control.recording import read_group
from vfplan.errors import UserError, said
from vfplan.output.charts import lines
from vfplan.output.page import Item, Note, Picture, Section, Table
from vfplan.output.video import grid, png_bytes
from vfplan.reports.folder import READ_AS, RunFolder, number, share

MOST_FILMS, MOMENTS = 4, 9
"""Film strips of a run, and frames of each."""
MOST_TASKS = 200
"""Rows of the table of tasks."""
NAMES = {
    "solved_5cm": "within 5 cm at the end",
    "solved_3cm": "within 3 cm at the end",
    "reached_5cm_any_time": "within 5 cm, ever",
}
"""What shares in results.json are called; others go by their keys."""


def headline(run: RunFolder) -> str:
    """The first share, which is the primary measure of success."""
    shares = _shares(run.object("results.json"))
    for key, values in shares.items():
        return f"{_called(key)}: {share(values).text}"
    return "no measure of success"


def success(run: RunFolder) -> Section:
    """Shares with their intervals, and a row per task."""
    results = run.object("results.json")
    rows = tuple((_called(key), share(values)) for key, values in _shares(results).items())
    count, failed = results.get("num_tasks"), results.get("failed_tasks")
    sentence = f"{number(count)} tasks, planned with {said(str(results.get('model')))}; Wilson 95 % intervals."
    items: list[Item] = [Table(("success", "share of tasks"), rows, sentence)]
    if isinstance(failed, list) and failed:
        items.append(Note(f"{len(failed)} tasks are left out, for their environment raised an error."))
    items += _tasks(results.get("tasks"))
    return Section("Success", "How often is the goal reached?", tuple(items), run.command)


def films(run: RunFolder) -> Section | None:
    """Goal, reality and imagination of the tasks that ended best and worst, as far as imagination was kept."""
    found: list[tuple[int, Trajectory, int]] = []
    for first, trajectory in groups(run, "episodes"):
        if trajectory.imagined is not None:
            found += [(first + index, trajectory, index) for index in trajectory.completed()]
    final = final_distances(run)
    found.sort(key=lambda each: final.get(each[0], 0.0))
    chosen = found if len(found) <= MOST_FILMS else [*found[: MOST_FILMS // 2], *found[-MOST_FILMS // 2 :]]
    items: list[Item] = [_film(task, trajectory, index, final.get(task)) for task, trajectory, index in chosen]
    items += run.pictures({"episodes.gif": "The first tasks as they went: the goal, what happened, what was imagined."})
    lead = "Goal, reality, and what the model expected of the actions it chose; best and worst endings first and last."
    return Section("Film strips", lead, tuple(items), run.command) if items else None


def surprise(run: RunFolder) -> Section | None:
    """What the monitor saw, over time."""
    series: dict[str, NDArray[np.float32]] = {}
    for first, trajectory in groups(run, "episodes"):
        if trajectory.surprise is not None:
            series |= {f"task {first + index}": row for index, row in enumerate(trajectory.surprise.values)}
    if not series:
        return None
    chart = surprise_chart(dict(list(series.items())[:10]), None)
    return Section("Surprise", "How unexpected was each frame to the model?", (chart,), run.command)


def surprise_chart(series: Mapping[str, NDArray[np.float32]], threshold: float | None) -> Picture:
    """The statistic of a monitor after each action, a line per series, and the threshold of the alarm."""
    points = {name: [(float(step), float(v)) for step, v in enumerate(row, 1)] for name, row in series.items()}
    if threshold is not None:
        steps = max(map(len, series.values()))
        points["alarm"] = [(1.0, threshold), (float(steps), threshold)]
    drawn = lines(points, "action", "surprise / nats")
    return Picture("surprise.svg", drawn, "Surprise after each action: minus the log-density of the worst cells.")


def groups(run: RunFolder, folder: str) -> Iterator[tuple[int, Trajectory]]:
    """The lockstep groups kept in a folder of the run, each with the index of its first task."""
    for path in run.files(f"{folder}/tasks-*.npz"):
        yield first_task(path), read_group(path, READ_AS)


def first_task(path: Path) -> int:
    """Of a file that is named by its first and last task. Raises UserError for another name."""
    parts = path.stem.split("-")
    if len(parts) != 3 or not all(part.isdecimal() and len(part) < 10 for part in parts[1:]):
        raise UserError(f"{path}: expected a name like {parts[0]}-0000-0009.npz")
    return int(parts[1])


def final_distances(run: RunFolder) -> dict[int, float]:
    """How far each task of results.json ended from its goal, in cm; empty where that is not known."""
    try:
        tasks = run.object("results.json").get("tasks")
    except UserError:
        return {}
    rows = [row for row in tasks if isinstance(row, Mapping)] if isinstance(tasks, list) else []
    return {
        row["task"]: float(row["final_cm"])
        for row in rows
        if isinstance(row.get("task"), int) and isinstance(row.get("final_cm"), float)
    }


def _film(task: int, trajectory: Trajectory, index: int, final: float | None) -> Picture:
    happened, imagined = trajectory.frames[index], trajectory.imagined
    assert imagined is not None
    expected = np.concatenate([happened[:1], imagined[index]])
    moments = np.unique(np.linspace(0, len(happened) - 1, MOMENTS).round().astype(int))
    both = np.stack([happened, expected])
    columns = [(f"after {moment}", both[:, moment : moment + 1]) for moment in moments]
    if trajectory.goals is not None:
        columns.insert(0, ("goal", np.stack([trajectory.goals[index][None]] * 2)))
    content = png_bytes(grid(columns, scale=max(1, 128 // happened.shape[1]), row_labels=["happened", "imagined"])[0])
    ending = "" if final is None else f", which ended {final:.1f} cm from its goal"
    return Picture(f"task-{task}.png", content, f"Task {task}{ending}: frames after so many actions.")


def _shares(results: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in results.items() if isinstance(value, Mapping) and "rate" in value}


def _called(key: str) -> str:
    return NAMES.get(key) or said(key.replace("_", " "))


def _tasks(tasks: Any) -> list[Item]:
    """A table of what became of each task, whatever results.json says of them."""
    rows = [row for row in tasks if isinstance(row, Mapping)] if isinstance(tasks, list) else []
    if not rows:
        return []
    header = tuple(map(str, rows[0]))
    shown = tuple(tuple(number(row.get(key, "")) for key in header) for row in rows[:MOST_TASKS])
    names = tuple(said(name.replace("_", " ")) for name in header)
    more = f" The first {MOST_TASKS} of {len(rows)}." if len(rows) > MOST_TASKS else ""
    return [Table(names, shown, f"What became of each task.{more}")]
