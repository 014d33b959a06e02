"""What `vfplan.monitor` left: which faults are found, and surprise over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vfplan.errors import UserError, said
from vfplan.output.page import Cell, Section, Table
from vfplan.reports.episodes import groups, surprise_chart
from vfplan.reports.folder import RunFolder, number, share

PICTURES = {
    "monitor.png": "Left: median surprise around the fault. Right: success with every reaction to alarms.",
    "surprise.gif": "A row per fault: what was seen of the first task, and in blue where it was surprising.",
}


def headline(run: RunFolder) -> str:
    """The alarm, and how often it was false."""
    if not run.has("monitor.json"):
        return f"alarm above {number(run.object('surprise.json').get('threshold'))} nats"
    false = share(run.object("monitor.json").get("false_alarms_per_episode"))
    return f"false alarms in {false.text} of episodes"


def detection(run: RunFolder) -> Section:
    """A row per fault: how well it is found, and what the reactions to alarms are worth."""
    if not run.has("monitor.json"):
        calibration = run.object("surprise.json")
        names = ("threshold", "false_alarms", "tasks", "env")
        values = tuple((name, number(calibration.get(name))) for name in names)
        table = Table(("", "value"), values, "The calibration; no fault was tried.")
        return Section("Calibration", "When is an alarm raised?", (table,), run.command)
    found = run.object("monitor.json")
    faults = found.get("faults")
    if not isinstance(faults, Mapping) or not faults:
        raise UserError("monitor.json is damaged (no faults)")
    reactions = list(_mapping(next(iter(faults.values())), "success"))
    rows = tuple((said(str(name)), *_cells(row, reactions)) for name, row in faults.items())
    header = ("fault", "AUROC", "detected", *(f"solved, {said(str(reaction))}" for reaction in reactions))
    sentence = (
        f"{number(found.get('episodes'))} episodes per fault, Wilson 95 % intervals. An alarm is raised above "
        f"{number(found.get('threshold_nats'))} nats."
    )
    return Section("Faults", "Which faults does surprise find?", (Table(header, rows, sentence),), run.command)


def pictures(run: RunFolder) -> Section | None:
    """The pictures of the study."""
    found = run.pictures(PICTURES)
    return Section("Pictures", "Around the fault, and where it shows.", found, run.command) if found else None


def surprise(run: RunFolder) -> Section | None:
    """The median over episodes after each action, for every fault with alarms ignored."""
    threshold = run.object("surprise.json").get("threshold") if run.has("surprise.json") else None
    series = {}
    for folder in sorted({path.parent.name for path in run.files("episodes/*/tasks-*.npz")}):
        if folder == "calibration" or folder.endswith("-ignore"):
            kept = [group.surprise.values for _, group in groups(run, f"episodes/{folder}") if group.surprise]
            if kept:
                series[said(folder.removesuffix("-ignore"))] = np.median(np.concatenate(kept), axis=0)
    if not series:
        return None
    chart = surprise_chart(series, float(threshold) if isinstance(threshold, int | float) else None)
    return Section("Surprise over time", "The median over episodes; a fault is none, or named.", (chart,), run.command)


def _cells(row: Any, reactions: list[Any]) -> list[Cell]:
    success = _mapping(row, "success")
    found = [number(row["auroc"]), share(row.get("detected"))] if "auroc" in row else ["", ""]
    return [*found, *(share(success.get(reaction)) for reaction in reactions)]


def _mapping(row: Any, key: str) -> Mapping[str, Any]:
    if not isinstance(row, Mapping) or not isinstance(row.get(key), Mapping):
        raise UserError(f"monitor.json is damaged (a fault has no {key})")
    return dict(row[key])
