"""Curves over steps, encoded as PNG or SVG: every chart of the offline tests and of reports in one style."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfplan.errors import said
from vfplan.statistics import Estimate

COLOURS = {"copying": "tab:gray", "the method": "black"}
"""Of series whose label starts so, in every chart; the others take the default cycle."""


MOST_POINTS = 1000


def figure(panels: int, *, height: float = 3.2, width: float = 4.4) -> tuple[Any, list[Any]]:
    """A figure of `panels` axes side by side, and the axes."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(width * panels + 0.6, height), layout="constrained")
    return drawn, list(np.atleast_1d(drawn.subplots(1, panels)))


def curves(axes: Any, series: Mapping[str, Sequence[Estimate]], ylabel: str, *, legend: bool = True) -> None:
    """Draw one curve per series over steps 1, 2, ..., with its interval as a band."""
    for label, estimates in series.items():
        steps = np.arange(1, len(estimates) + 1)
        mean = [estimate.mean for estimate in estimates]
        colour = next((colour for start, colour in COLOURS.items() if label.startswith(start)), None)
        (curve,) = axes.plot(steps, mean, label=label, color=colour, marker="." if len(steps) < 3 else None)
        if all(estimate.low is not None for estimate in estimates):
            low, high = ([getattr(estimate, bound) for estimate in estimates] for bound in ("low", "high"))
            axes.fill_between(steps, low, high, alpha=0.2, color=curve.get_color(), linewidth=0)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("step")
    axes.set_ylabel(ylabel)
    axes.grid(alpha=0.25)
    if legend:
        axes.legend(fontsize=8)


def per_step(values: NDArray[Any]) -> list[Estimate]:
    """An estimate per step of finite values (N, T), one row per episode."""
    return [Estimate.of(column) for column in values.T]


def lines(series: Mapping[str, Sequence[tuple[float, float]]], xlabel: str, ylabel: str) -> bytes:
    """A chart of points (x, y), a line per series, as an SVG; long series are thinned to MOST_POINTS."""
    drawn, (axes,) = figure(1, height=3.0, width=4.6)
    for label, points in series.items():
        shown = points[:: len(points) // MOST_POINTS + 1]
        axes.plot(*zip(*shown, strict=True), label=said(label), marker="o" if len(shown) < 12 else None, markersize=3)
    axes.set(xlabel=xlabel, ylabel=said(ylabel))
    axes.grid(alpha=0.25)
    if len(series) > 1:
        axes.legend(fontsize=8)
    return vector(drawn)


def vector(drawn: Any) -> bytes:
    """The figure as an SVG without a background; the same figure gives the same bytes."""
    from matplotlib import rc_context

    buffer = io.BytesIO()
    with rc_context({"svg.hashsalt": "vfplan"}):
        drawn.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return buffer.getvalue()


def encoded(drawn: Any) -> bytes:
    """The figure as a PNG."""
    buffer = io.BytesIO()
    drawn.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
