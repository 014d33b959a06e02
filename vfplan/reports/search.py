"""What planners looked at (`record=true`): costs of every call to the score, candidates, their imagined futures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfplan.control.searches import Searches, read_searches
from vfplan.errors import UserError, said
from vfplan.output.charts import curves, encoded, figure, per_step, vector
from vfplan.output.page import Item, Note, Picture, Section
from vfplan.output.video import grid, png_bytes
from vfplan.reports.episodes import final_distances, first_task
from vfplan.reports.folder import READ_AS, RunFolder
from vfplan.statistics import Estimate

MOST_ROWS = 4
"""Rows of a benchmark that are shown."""
MOST_COMPONENTS, MOST_STEPS = 6, 10
FEWEST = 5
"""Tasks from which an interval over them says something."""
LEAD = "What did the planner look at, and how far does each iteration bring the cost down?"
HOW = "The cheapest candidates of the last iteration, best first, and below the costliest; beside them their costs."


def of_plan(run: RunFolder) -> Section | None:
    """The searches of `vfplan.plan`, of the tasks that ended best and worst; a hint where they were not kept."""
    files = run.files("episodes/searches-*.npz")
    if not files:
        hint = "With record=true the same command keeps what its planner looked at."
        return Section("Search", LEAD, (Note(hint),), run.command)
    searches, first, final = _read(files[0]), first_task(files[0]), final_distances(run)
    order = sorted(range(searches.plans.shape[1]), key=lambda index: final.get(first + index, 0.0))
    items: list[Item] = list(_charts(searches, ""))
    for index in sorted({order[0], order[-1]}):
        ending = final.get(first + index)
        told = "" if ending is None else f", which ended {ending:.1f} cm from its goal"
        items += _of_task(searches, index, f"Task {first + index}{told}")
    return Section("Search", LEAD, tuple(items), run.command)


def of_rows(run: RunFolder) -> Section | None:
    """The searches of the rows of `vfplan.benchmark`, of one task each."""
    files = run.files("episodes/*/searches-*.npz")
    first = {path.parent.name: path for path in reversed(files)}
    items: list[Item] = []
    for name in sorted(first)[:MOST_ROWS]:
        searches, title = _read(first[name]), f"Row {said(name)}"
        items += [*_charts(searches, f"{title}. "), *_of_task(searches, 0, f"{title}, task {first_task(first[name])}")]
    return Section("Search", LEAD, tuple(items), run.command) if items else None


def _read(path: Path) -> Searches:
    try:
        return read_searches(path, READ_AS)
    except Exception as error:  # what numpy and zipfile raise for broken files is no closed set
        raise UserError(f"{path} is damaged ({type(error).__name__}: {said(error)})") from error


def _charts(searches: Searches, title: str) -> list[Picture]:
    """Costs per iteration, and from planning to planning; over tasks none of whose costs is missing."""
    whole = np.isfinite(searches.best).all(axis=(0, 1)) & np.isfinite(searches.mean).all(axis=(0, 1))
    if not whole.any():
        return []
    best, mean = searches.best[..., whole], searches.mean[..., whole]
    rejected = int(searches.rejected.sum())
    spread = ", with 95 % intervals over tasks" if whole.sum() >= FEWEST else ""
    about = f"{title}{whole.sum()} tasks, {len(best)} plannings each{spread}."
    return [
        Picture(
            "iterations.svg",
            _curves({"best candidate": best.mean(axis=0).T, "mean of candidates": mean.mean(axis=0).T}, "iteration"),
            f"Cost in each call to the score. {about} {rejected} candidates were rejected.",
        ),
        Picture(
            "plannings.svg",
            _curves({"best candidate": best[:, -1].T, "mean of candidates": mean[:, -1].T}, "planning"),
            f"Cost in the last call, from planning to planning. {about}",
        ),
    ]


def _curves(series: dict[str, NDArray[Any]], xlabel: str) -> bytes:
    """A curve over 1, 2, ... for each of the values (N, T)."""
    drawn, (axes,) = figure(1, height=3.0, width=4.6)
    curves(axes, {label: _estimates(values.astype(float)) for label, values in series.items()}, "cost")
    axes.set_xlabel(xlabel)
    return vector(drawn)


def _estimates(values: NDArray[Any]) -> list[Estimate]:
    """Means over tasks of values (N, T), with intervals where tasks are not too few for them."""
    return [replace(each, low=None, high=None) if len(values) < FEWEST else each for each in per_step(values)]


def _of_task(searches: Searches, index: int, told: str) -> list[Item]:
    """The candidates of the first planning of a task, of one in the middle, and of the last."""
    places = sorted({0, len(searches.plans) // 2, len(searches.plans) - 1})
    items: list[Item] = []
    for place in places:
        sentence = f"{told}; planning {place + 1} of {len(searches.plans)}. {HOW}"
        items.append(Picture(f"futures-{place + 1}.png", _futures(searches, place, index), sentence))
    sentence = f"{told}; actions of these candidates in the first planning: the best black, the costliest dashed."
    return [*items, Picture("actions.png", _actions(searches.plans[0, index]), sentence)]


def _futures(searches: Searches, place: int, index: int) -> bytes:
    """A PNG with a row per candidate: the goal, the newest frame, and what is imagined from there on."""
    futures, costs = searches.futures[place, index], searches.costs[place, index]
    count, steps = futures.shape[:2]
    goal, seen = (np.stack([image[place, index][None]] * count) for image in (searches.goals, searches.seen))
    shown = np.unique(np.linspace(0, steps - 1, min(steps, MOST_STEPS)).round().astype(int))
    columns = [("goal", goal), ("now", seen), *((f"+{step + 1}", futures[:, step : step + 1]) for step in shown)]
    labels = [f"{cost:.3g}" for cost in costs[:-1]] + [f"worst {costs[-1]:.3g}"]
    scale = max(1, 64 // futures.shape[2])
    return png_bytes(grid(columns, scale=scale, row_labels=labels)[0])


def _actions(plans: NDArray[np.float32]) -> bytes:
    """A PNG: the components of plans (K, T, A) over the steps of the plan, a panel for each."""
    components = min(plans.shape[2], MOST_COMPONENTS)
    drawn, panels = figure(components, height=2.0, width=2.3)
    for component, axes in enumerate(panels):
        steps = np.arange(1, plans.shape[1] + 1)
        for rank in range(len(plans) - 1, -1, -1):
            style = "--" if rank == len(plans) - 1 else "-"
            width, colour = (1, "0.6") if rank else (2, "black")
            axes.plot(steps, plans[rank, :, component], style, color=colour, linewidth=width)
        axes.set(title=f"action {component + 1}", ylim=(-1.05, 1.05), xlabel="step")
        axes.title.set_fontsize(9)
        axes.grid(alpha=0.25)
    return encoded(drawn)
