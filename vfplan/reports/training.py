"""What `vfplan.train` left: curves, samples, the checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vfplan.output.charts import lines
from vfplan.output.page import Item, Note, Picture, Section, Table
from vfplan.reports.folder import RunFolder, number

PANELS = {
    "bits / dim": ("bits_per_dim", "validation/bits_per_dim"),
    "bits / dim by level": ("level_",),
    "error / copying": ("validation/error_",),
    "colour error / copying": ("validation/colour_error_",),
    "motion error / cm": ("validation/motion_cm",),
    "motion explained": ("validation/motion_",),
    "learning rate": ("learning_rate",),
    "steps / s": ("steps_per_second",),
}
"""What each chart shows: keys of the metrics that begin so."""
MOST_OTHERS = 6
"""Charts of metrics that are not named above."""

Rows = Sequence[Mapping[str, Any]]


def headline(run: RunFolder) -> str:
    """How far it came, and the last validation."""
    rows = run.rows("metrics.jsonl") if run.has("metrics.jsonl") else []
    steps = [row["step"] for row in rows if isinstance(row.get("step"), int)]
    validated = [row["validation/bits_per_dim"] for row in rows if "validation/bits_per_dim" in row]
    last = f", {number(validated[-1], 4)} bits/dim on validation episodes" if validated else ""
    return f"{max(steps, default=0):,} steps{last}"


def curves(run: RunFolder) -> Section | None:
    """Charts of the metrics over steps, and the samples of the last validation."""
    if not run.has("metrics.jsonl"):
        return None
    rows = run.rows("metrics.jsonl")
    items: list[Item] = list(_charts(_series(rows)))
    unusual = [row for row in rows if "skipped" in row or "damaged" in row]
    if unusual:
        items.append(Note(f"{len(unusual)} lines of metrics.jsonl tell of skipped steps or damaged data."))
    items += run.pictures({"validation.png": "Validation episodes beside what the averaged model makes of them."})
    if not items:
        items.append(Note("metrics.jsonl has no line yet."))
    lead = "Does it still learn, and does it help on episodes it never saw?"
    return Section("Training", lead, tuple(items), run.command)


def checkpoint(run: RunFolder) -> Section | None:
    """What the newest checkpoint says of itself."""
    if not run.has("checkpoint/config.json"):
        return None
    about = run.object("checkpoint/config.json")
    model, environment, training = (_mapping(about.get(key)) for key in ("model", "environment", "training"))
    values = {
        "model": model.get("name"),
        "environment": environment.get("name"),
        "image size": model.get("image_size"),
        "steps": training.get("steps"),
        "seconds": training.get("seconds"),
        "episodes": _mapping(training.get("data")).get("episodes"),
        "SHA-256": about.get("sha256"),
    }
    rows = tuple((name, number(value)) for name, value in values.items() if value is not None)
    table = Table(("", "value"), rows, "What checkpoint/config.json says.")
    return Section("Checkpoint", "The weights that this training left.", (table,), run.command)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _series(rows: Rows) -> dict[str, list[tuple[float, float]]]:
    """For every key that has numbers the steps and values, in order."""
    found: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        for key, value in row.items():
            if key != "step" and _is_number(value) and _is_number(row.get("step")):
                found.setdefault(str(key), []).append((float(row["step"]), float(value)))
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _charts(series: Mapping[str, list[tuple[float, float]]]) -> list[Picture]:
    left, drawn = dict(series), []
    for label, beginnings in PANELS.items():
        chosen = {key: left.pop(key) for key in list(left) if key.startswith(beginnings)}
        if chosen:
            drawn.append(_chart(label, chosen))
    return drawn + [_chart(key, {key: left[key]}) for key in list(left)[:MOST_OTHERS]]


def _chart(label: str, chosen: Mapping[str, list[tuple[float, float]]]) -> Picture:
    named = {key.replace("validation/", "validation: ").replace("_", " "): points for key, points in chosen.items()}
    return Picture(f"{label}.svg", lines(named, "step", label), f"{label[:1].upper()}{label[1:]} over training steps.")
