"""How far the likeliest rollout is from what happened, relative to the guess that nothing moves."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add

from vfplan.metrics.rollout_error import RolloutError, rollout_error
from vfplan.studies.offline.section import Section, Table, Test, line
from vfplan.studies.offline.trial import Trial

THUMBNAIL = 16  # pixels: frames are compared at this size


def measure(trial: Trial) -> Section:
    """Compare the temperature-0 rollout of every held-out episode with copying its last known frame."""
    size, downscale = trial.held_out.store.image_size, 1
    while size % (2 * downscale) == 0 and size >= 2 * downscale * THUMBNAIL:
        downscale *= 2
    batches = trial.batches(trial.held_out, "rollout errors")
    error = reduce(add, (rollout_error(trial.model, clip, downscale=downscale) for _, clip in batches))
    numbers = {
        "rollout_error_relative_to_copying": error.pixels.relative,
        "rollout_colour_error_relative_to_copying": error.colour.relative,
    }
    return Section(numbers, (_table(error),), _lines(error))


def _table(error: RolloutError) -> Table:
    marks = [step for step in (1, 2, 5, 10, 20, 50) if step <= len(error.pixels.relative)]
    rows = {"error / copying": error.pixels, "error / copying, colour": error.colour}
    return Table(
        ("step", *map(str, marks)),
        tuple((name, *(_ratio(errors.relative[step - 1]) for step in marks)) for name, errors in rows.items()),
        f"Squared error of the temperature-0 rollout on {THUMBNAIL}-pixel thumbnails over that of copying the last "
        "known frame. 0 is perfect, 1 is no better than copying. Colour is what a pixel has beyond its grey: it says "
        "more of coloured objects, for a grey arm does not count.",
    )


def _lines(error: RolloutError) -> tuple[str, ...]:
    def at_steps(relative: Sequence[float | None]) -> str:
        return ", ".join(f"{_ratio(relative[step - 1])} at {step}" for step in (1, 5, 10) if step <= len(relative))

    return (
        line("rollout error / copying", at_steps(error.pixels.relative)),
        line("the same of colour", at_steps(error.colour.relative)),
    )


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


TEST = Test(
    "rollout_error",
    "Rollout error",
    "Is the likeliest future better than the guess that nothing moves?",
    measure,
)
