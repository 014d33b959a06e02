"""Whether what really happened looks like one more sample of the model, in pixels and in the object's position."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from vfplan.output.charts import encoded, figure
from vfplan.output.page import Picture, Table
from vfplan.studies.offline.pit import BINS, LEVELS, Counts, split
from vfplan.studies.offline.section import Section, Test, line
from vfplan.studies.offline.trial import NotApplicableError, Trial

PIXEL_CHANGE = 16  # grey levels between the extremes of truth, samples and last known frame
POSITION_CHANGE = 0.005  # m, the same for the object
FEWEST = 20  # values for a row of the table or a point of a chart


def measure(trial: Trial) -> Section:
    """Place the true pixels, and the true position of the object where it can be found, among the samples."""
    groups = _pixels(trial)
    try:
        groups |= _positions(trial)
        position_absent = None
    except NotApplicableError as error:
        position_absent = str(error)
    groups = {name: counts for name, counts in groups.items() if counts.total}
    spans = _spans(trial)
    numbers: dict[str, Any] = {
        "num_episodes": len(trial.sampled),
        "num_samples": trial.settings.rollout_samples,
        "levels": LEVELS,
        "position_absent": position_absent,
    }
    for name, counts in groups.items():
        key = name.replace(" ", "_")
        numbers[key] = {
            span: _summary(counts.pooled(steps)) for span, steps in spans.items() if counts.pooled(steps).total
        }
    shown = {name: counts for name, counts in groups.items() if counts.total >= FEWEST}
    charts = (_histograms(shown, spans), _coverage_chart(trial, shown)) if shown else ()
    return Section(numbers, (_table(trial, groups, spans, position_absent), *charts), _lines(groups))


def _pixels(trial: Trial) -> dict[str, Counts]:
    rng = trial.numpy_rng("pixels")
    parts = []
    for frames, samples in zip(trial.true, trial.samples, strict=True):
        known, future = frames[trial.past - 1].flatten().numpy(), frames[trial.past :].flatten(1).numpy()
        parts.append(split(future, samples.flatten(2).numpy(), known, PIXEL_CHANGE, rng))
    changing, static = zip(*parts, strict=True)
    return {"changing pixels": Counts.joined(list(changing)), "static pixels": Counts.joined(list(static))}


def _positions(trial: Trial) -> dict[str, Counts]:
    """The object's two coordinates, in true frames located as in sampled ones, so that the method's error cancels."""
    rng = trial.numpy_rng("positions")
    parts = []
    for frames, samples, known in zip(trial.true, trial.sample_positions[0], trial.known_positions, strict=True):
        seen = trial.follow(frames[trial.past :], known)[0]
        parts.append(split(seen, samples, known, POSITION_CHANGE, rng))
    changing, static = zip(*parts, strict=True)
    return {"moving object": Counts.joined(list(changing)), "resting object": Counts.joined(list(static))}


def _spans(trial: Trial) -> dict[str, slice]:
    """Names of the steps that are pooled: the first alone, a middle one, the last, and all after the first."""
    spans = {"step 1": slice(0, 1)}
    spans |= {f"step {mark}": slice(mark - 1, mark) for mark in trial.horizons() if mark in (5, 10)}
    return spans | ({"steps 2 on": slice(1, None)} if trial.steps > 1 else {})


def _summary(counts: Counts) -> dict[str, Any]:
    return {
        "num_values": counts.total,
        "histogram": counts.histogram.tolist(),
        "deviation": counts.deviation,
        "coverage": [asdict(estimate) for estimate in counts.coverage()],
    }


def _table(trial: Trial, groups: dict[str, Counts], spans: dict[str, slice], position_absent: str | None) -> Table:
    rows = []
    for name, counts in groups.items():
        for span, steps in spans.items():
            part = counts.pooled(steps)
            if part.total >= FEWEST:
                coverage = (estimate.scaled(100).text(1) for estimate in part.coverage())
                rows.append((name, span, *coverage, f"{part.deviation:.3f}", f"{part.total:,}"))
    absent = f" The object's position is absent: {position_absent}." if position_absent else ""
    return Table(
        ("values", "steps", *(f"in central {100 * level:.0f} %" for level in LEVELS), "PIT deviation", "number"),
        tuple(rows),
        f"Share of true values inside the model's central intervals, from {trial.settings.rollout_samples} samples of "
        f"each of {len(trial.sampled)} episodes. A calibrated model has 50, 80 and 95 %; less is overconfident, more "
        f"is too cautious. Pixels change if truth, samples and last known frame span more than {PIXEL_CHANGE} grey "
        f"levels, the object moves if they span more than {100 * POSITION_CHANGE:.1f} cm. PIT deviation is the "
        f"distance of the histogram below from a flat one, 0 to 1. Groups of fewer than {FEWEST} values are left "
        f"out.{absent}",
    )


def _histograms(groups: dict[str, Counts], spans: dict[str, slice]) -> Picture:
    drawn, panels = figure(len(groups), height=2.8, width=3.2)
    edges = np.linspace(0, 1, BINS + 1)
    for axes, (name, counts) in zip(panels, groups.items(), strict=True):
        for span in ("step 1", "steps 2 on"):
            part = counts.pooled(spans[span]) if span in spans else None
            if part is not None and part.total >= FEWEST:
                axes.stairs(part.histogram, edges, label=span, linewidth=1.6)
                axes.legend(fontsize=8)
        axes.axhline(1, color="black", linewidth=0.8, linestyle=":")
        axes.set(title=name, xlabel="place of the truth among the samples", ylabel="density", ylim=(0, None))
    return Picture(
        "calibration.png",
        encoded(drawn),
        "Histograms of the (randomised) probability integral transform. Flat is calibrated; a U is overconfident, a "
        "hump is too cautious, a slope is biased.",
    )


def _coverage_chart(trial: Trial, groups: dict[str, Counts]) -> Picture:
    drawn, panels = figure(len(groups), height=2.8, width=3.2)
    for axes, (name, counts) in zip(panels, groups.items(), strict=True):
        each = [(step + 1, counts.pooled(slice(step, step + 1))) for step in range(trial.steps)]
        points = [(step, part.coverage()) for step, part in each if part.total >= FEWEST]
        for i, level in enumerate(LEVELS):
            shares = [100 * coverage[i].mean for _, coverage in points]
            label = f"{100 * level:.0f} %"
            (curve,) = axes.plot([step for step, _ in points], shares, label=label, marker=".", markersize=3)
            axes.axhline(100 * level, color=curve.get_color(), linewidth=0.8, linestyle=":")
        axes.set(title=name, xlabel="step", ylabel="truth inside / %", xlim=(0, trial.steps + 1), ylim=(0, 103))
    panels[0].legend(fontsize=8, loc="lower right")
    return Picture(
        "coverage.png",
        encoded(drawn),
        "Coverage per step: each curve should lie on the dotted line of its colour. Steps with fewer than "
        f"{FEWEST} values are left out.",
    )


def _lines(groups: dict[str, Counts]) -> tuple[str, ...]:
    shown = [name for name in ("changing pixels", "moving object") if name in groups]
    return tuple(
        line(f"in 50, 80, 95 %: {name}", ", ".join(f"{100 * e.mean:.1f}" for e in groups[name].coverage()))
        for name in shown
    )


TEST = Test(
    "calibration",
    "Calibration",
    "Are the model's probabilities right: does what happened look like one more of its samples?",
    measure,
)
