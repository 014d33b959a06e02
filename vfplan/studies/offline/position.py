"""Where imagined frames put the object: distance in cm from where it was."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vfplan.metrics.localisation import VISIBLE
from vfplan.output.charts import curves, encoded, figure, per_step
from vfplan.output.page import Picture, Table
from vfplan.statistics import Estimate
from vfplan.studies.offline.rollouts import best_of
from vfplan.studies.offline.section import Section, Test, line
from vfplan.studies.offline.trial import NotApplicableError, Trial

Floats = NDArray[np.float64]

ROWS = {
    "copying": "copying the last sighting",
    "expected": "temperature 0",
    "mean_of_samples": "mean over samples",
    "best_of_samples": "best of samples",
    "floor": "the method on true frames",
}
METHOD = (
    "The object is found as the centroid of colour (RGB minus its grey, above 0.3 of the usual strongest), taken to "
    "the floor by the store's homography and corrected for its height by an affine map that is fitted to the true "
    f"frames; a frame with less than {VISIBLE} of the usual colour keeps the last position."
)


def measure(trial: Trial) -> Section:
    """Locate the object in the rollouts of the sampled episodes and compare with its recorded poses."""
    locator, usable = trial.locator, np.flatnonzero(np.isfinite(trial.known_positions).all(axis=1))
    if not usable.size:
        raise NotApplicableError("the object is in none of the known frames of any episode")
    poses = trial.sampled.object_xy[usable, trial.past :, 0]
    true, known, expected = trial.true[usable], trial.known_positions[usable], trial.expected[usable]
    samples, sample_mass = (array[usable] for array in trial.sample_positions)
    path, mass = zip(*(trial.follow(clip, start) for clip, start in zip(expected, known, strict=True)), strict=True)
    seen = [trial.follow(clip[trial.past :], start)[0] for clip, start in zip(true, known, strict=True)]
    of_samples = centimetres(samples, poses[:, None])
    errors = {
        "copying": centimetres(known[:, None], poses),
        "expected": centimetres(np.stack(path), poses),
        "mean_of_samples": of_samples.mean(axis=1),
        "best_of_samples": -best_of(-of_samples),
        "floor": centimetres(np.stack(seen), poses),
    }
    lost = {"expected": float((np.stack(mass) < VISIBLE).mean()), "samples": float((sample_mass < VISIBLE).mean())}
    numbers = {"num_episodes": len(usable), "share_lost": lost, "affine_correction": locator.correction.tolist()}
    for row, values in errors.items():
        numbers[row] = {
            "cm": asdict(Estimate.of(values.mean(axis=1))),
            "cm_per_step": [asdict(estimate) for estimate in per_step(values)],
        }
    return Section(numbers, (_table(trial, errors, lost), _picture(errors)), _lines(errors))


def centimetres(positions: Floats, poses: Floats) -> Floats:
    """Distances in cm of positions (..., 2) in m from poses (..., 2) in m."""
    return 100.0 * np.asarray(np.linalg.norm(positions - poses, axis=-1))


def _table(trial: Trial, errors: dict[str, Floats], lost: dict[str, float]) -> Table:
    marks = trial.horizons()
    rows = tuple(
        (
            label,
            Estimate.of(errors[row].mean(axis=1)).text(2),
            *(f"{errors[row][:, mark - 1].mean():.2f}" for mark in marks),
        )
        for row, label in ROWS.items()
    )
    return Table(
        ("error / cm", "all steps", *(f"at {mark}" for mark in marks)),
        rows,
        f"{METHOD} The last row is the method's own error, the floor for every model. The object was lost in "
        f"{100 * lost['samples']:.1f} % of sampled and {100 * lost['expected']:.1f} % of temperature-0 frames. "
        "A good model stays near the floor; copying shows how far the object really went.",
    )


def _picture(errors: dict[str, Floats]) -> Picture:
    drawn, (axes,) = figure(1, width=6)
    curves(axes, {label: per_step(errors[row]) for row, label in ROWS.items()}, "error of the object's position / cm")
    return Picture("position.png", encoded(drawn), "The same per step, with 95 % intervals over episodes.")


def _lines(errors: dict[str, Floats]) -> tuple[str, ...]:
    def row(values: Any) -> str:
        return " / ".join(f"{value.mean():.2f}" for value in values)

    names = ("mean_of_samples", "expected", "copying", "floor")
    return (line("object cm mean, T=0, copying, floor", row([errors[name] for name in names])),)


TEST = Test(
    "position",
    "Object position",
    "Does the imagined object go where the real one went?",
    measure,
)
