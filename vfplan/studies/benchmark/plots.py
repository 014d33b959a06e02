"""The pictures of a comparison: success with intervals, success against planning time, final distances."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from vfplan.output.charts import encoded, figure
from vfplan.studies.benchmark.report import RowReport

STYLES = ("-", "--", ":", "-.")


def pictures(reports: Sequence[RowReport]) -> dict[str, bytes]:
    """PNGs by name."""
    return {
        "success.png": encoded(_success(reports)),
        "time.png": encoded(_time(reports)),
        "distance.png": encoded(_distance(reports)),
    }


def _success(reports: Sequence[RowReport]) -> Any:
    """Success at the end, a line per row."""
    drawn, (axes,) = figure(1, height=1.2 + 0.34 * len(reports), width=7.0)
    places = np.arange(len(reports))[::-1]
    for limit, offset, filled in (("5 cm", 0.14, True), ("3 cm", -0.14, False)):
        for place, report, colour in zip(places, reports, _colours(reports), strict=True):
            rate = report.end[limit]
            spread = [[100 * (rate.rate - rate.low)], [100 * (rate.high - rate.rate)]]
            axes.errorbar(
                100 * rate.rate, place + offset, xerr=spread, fmt="o", color=colour, capsize=3, markersize=5,
                markerfacecolor=colour if filled else "white",
            )  # fmt: skip
    axes.set_yticks(places, [report.name + (" *" if report.reads_simulator else "") for report in reports])
    axes.set_xlim(-2, 102)
    axes.set_xlabel("success at the end of the episode, %\n(filled: within 5 cm, open: within 3 cm; Wilson 95 %)")
    axes.grid(alpha=0.25)
    return drawn


def _time(reports: Sequence[RowReport]) -> Any:
    """Left: share within 5 cm against the planning time spent so far. Right: success against the time of one plan."""
    from matplotlib.ticker import LogLocator, NullFormatter

    drawn, (course, cost) = figure(2, height=4.2, width=5.2)
    for index, (report, colour) in enumerate(zip(reports, _colours(reports), strict=True)):
        rate = report.end["5 cm"]
        if report.seconds_per_plan is None:
            continue
        seconds, within = report.time_curve["seconds"], 100 * np.array(report.time_curve["within_5cm"])
        style = STYLES[index % len(STYLES)]
        course.step(seconds, within, where="post", color=colour, linestyle=style, label=report.name)
        spread = [[100 * (rate.rate - rate.low)], [100 * (rate.high - rate.rate)]]
        cost.errorbar(
            report.seconds_per_plan, 100 * rate.rate, yerr=spread, fmt="o", color=colour, capsize=3, label=report.name
        )
    course.set_xlabel("planning time spent per episode, s")
    course.set_ylabel("tasks within 5 cm at that time, %")
    cost.set_xlabel("time of one plan, s")
    cost.set_ylabel("within 5 cm at the end, % (Wilson 95 %)")
    for axes in (course, cost):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_ylim(-2, 102)
        axes.grid(alpha=0.25)
    course.legend(fontsize=8)
    return drawn


def _distance(reports: Sequence[RowReport]) -> Any:
    """The share of tasks that end within each distance."""
    drawn, (axes,) = figure(1, height=4.2, width=6.4)
    for index, (report, colour) in enumerate(zip(reports, _colours(reports), strict=True)):
        share = 100 * np.arange(1, report.num_tasks + 1) / report.num_tasks
        style = STYLES[index % len(STYLES)]
        distances = [0.0, *report.final_cm]
        axes.step(distances, [0.0, *share], where="post", color=colour, linestyle=style, label=report.name)
    for limit in (3, 5):
        axes.axvline(limit, color="0.6", linewidth=0.8)
    axes.set_xlim(0, 30)
    axes.set_ylim(-2, 102)
    axes.set_xlabel("distance from the goal at the end, cm (lines at 3 and 5 cm)")
    axes.set_ylabel("tasks within it, %")
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, loc="center right")
    return drawn


def _colours(reports: Sequence[RowReport]) -> list[str]:
    """One colour per row, the same in every picture; rows that do not plan are grey."""
    cycle, greys = itertools.count(), itertools.cycle(("0.15", "0.35", "0.5", "0.65"))
    return [next(greys) if report.seconds_per_plan is None else f"C{next(cycle)}" for report in reports]
