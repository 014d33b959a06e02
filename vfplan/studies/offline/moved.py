"""Whether the objects that move go where the model says, each followed by its own hue: what control depends on."""

from __future__ import annotations

from dataclasses import asdict

from vfplan.metrics.motion import Motion, Yardstick
from vfplan.metrics.rollout_error import imagines_at
from vfplan.output.page import Table
from vfplan.studies.offline.section import Section, Test, line
from vfplan.studies.offline.trial import NotApplicableError, Trial

STEPS = (1, 2, 5, 10)
THUMBNAILS = 4  # frames are compared at the image size divided by this, where the model can imagine at it


def measure(trial: Trial) -> Section:
    """Follow every object of the held-out episodes through a rollout from their middle."""
    model, held_out = trial.model, trial.held_out
    scale = THUMBNAILS if imagines_at(model, THUMBNAILS) else 1
    horizons = [step for step in STEPS if step <= trial.steps]
    start = (trial.steps - horizons[-1]) // 2
    window = slice(start, start + trial.past + horizons[-1])
    yardstick = Yardstick.of(held_out.store, held_out.chosen, window, trial.past, scale, trial.device)
    if yardstick is None:
        raise NotApplicableError("the store has no coloured objects with poses and a floor_to_pixel homography")
    found = yardstick.measure(model, horizons)
    if not found:
        raise NotApplicableError("no object moves by a centimetre in any of the windows")
    numbers = {"downscale": scale, "steps": {str(step): asdict(motion) for step, motion in found.items()}}
    return Section(numbers, (_table(found),), (_line(found),))


def _table(found: dict[int, Motion]) -> Table:
    rows = tuple(
        (f"{step}", f"{each.count}", f"{each.explained:.3f}", f"{each.centimetres:.2f}", f"{each.ceiling:.3f}")
        for step, each in found.items()
    )
    return Table(
        ("step", "objects that moved", "explained", "median error / cm", "explained by true frames"),
        rows,
        "Of the objects that moved by more than 1 cm since the last known frame: the share of their squared "
        "displacement that a temperature-0 rollout foretells (1 is perfect, 0 is standing still), the median error, "
        "and the share found in the true frames by the same method, the ceiling. Each object is the centroid of its "
        "own hue.",
    )


def _line(found: dict[int, Motion]) -> str:
    explained, centimetres = (
        " / ".join(f"{getattr(each, name):.2f}" for each in found.values()) for name in ("explained", "centimetres")
    )
    return line(f"motion explained at {', '.join(map(str, found))} steps", f"{explained}, cm {centimetres}")


TEST = Test("motion", "Motion", "Do the objects that move go where the model says?", measure)
