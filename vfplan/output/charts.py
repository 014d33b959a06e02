"""Curves over steps, encoded as PNG: every chart of the offline tests in one style."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfplan.statistics import Estimate

COLOURS = {"copying": "tab:gray", "the method": "black"}
"""Of series whose label starts so, in every chart; the others take the default cycle."""


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
    axes.set_xlabel("step")
    axes.set_ylabel(ylabel)
    axes.grid(alpha=0.25)
    if legend:
        axes.legend(fontsize=8)


def per_step(values: NDArray[Any]) -> list[Estimate]:
    """An estimate per step of finite values (N, T), one row per episode."""
    return [Estimate.of(column) for column in values.T]


def encoded(drawn: Any) -> bytes:
    """The figure as a PNG."""
    buffer = io.BytesIO()
    drawn.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
