"""What `vfplan.evaluate` left: bits per dimension, and the pictures of the offline tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vfplan.errors import UserError, said
from vfplan.output.charts import curves, figure, vector
from vfplan.output.page import Item, Note, Picture, Section, Table
from vfplan.reports.folder import RunFolder
from vfplan.schema import from_mapping
from vfplan.statistics import Estimate

GIVEN = {"": "true actions", "_shuffled_actions": "actions of another episode", "_no_actions": "no (zero) actions"}
"""Suffixes of the keys of likelihood.json, and what the actions are called."""


def headline(run: RunFolder) -> str:
    """Bits per dimension with true actions."""
    return f"{_estimate(run.object('likelihood.json').get('bits_per_dim')).text(4)} bits/dim"


def bits(run: RunFolder) -> Section:
    """Bits per dimension for each kind of actions, in all and per step."""
    numbers = run.object("likelihood.json")
    found = {suffix: label for suffix, label in GIVEN.items() if f"bits_per_dim{suffix}" in numbers}
    rows = []
    for suffix, label in found.items():
        key = "difference" if suffix == "_shuffled_actions" else f"difference{suffix}"
        gap = _estimate(numbers.get(key)).text(4) if suffix else ""
        rows.append((label, _estimate(numbers[f"bits_per_dim{suffix}"]).text(4), gap))
    sentence = (
        f"{numbers.get('num_episodes')} held-out episodes ({said(str(numbers.get('bound')))}), 95 % intervals over "
        "episodes. Lower is better, 8 is knowing nothing; a model that reads actions pays for wrong ones."
    )
    series = {label: list(map(_estimate, numbers.get(f"per_step{suffix}", []))) for suffix, label in found.items()}
    drawn, (axes,) = figure(1, height=3.0, width=4.6)
    curves(axes, {label: steps for label, steps in series.items() if steps}, "bits / dim")
    chart = Picture("bits.svg", vector(drawn), "Bits per dimension of each frame, given the true frames before it.")
    table = Table(("actions given", "bits / dim", "difference"), tuple(rows), sentence)
    return Section("Likelihood", "How probable is what really happened?", (table, chart), run.command)


def pictures(run: RunFolder) -> Section | None:
    """The pictures of all tests, each with the sentence that evaluate gave it; and what could not be tested."""
    numbers = run.object("likelihood.json")
    captions, sections = numbers.get("pictures"), numbers.get("sections")
    if not isinstance(captions, Mapping):  # of a version that did not keep them
        captions = {path.name: path.stem for path in (*run.files("*.png"), *run.files("*.gif"))}
    # A name in a stranger's file must not lead out of the folder.
    there = {path.name for path in (*run.files("*.png"), *run.files("*.gif"))} - {"likelihood.png"}
    items: list[Item] = [*run.pictures({str(name): str(text) for name, text in captions.items() if name in there})]
    items += [Note(f"{said(str(name))} is absent: {said(str(why))}.") for name, why in _absent(sections)]
    lead = "Samples, the best and the worst among them; object position, calibration and more, as index.html has it."
    return Section("Offline tests", lead, tuple(items), run.command) if items else None


def _absent(sections: Any) -> list[tuple[Any, Any]]:
    if not isinstance(sections, Mapping):
        return []
    reasons = {name: part.get("absent") for name, part in sections.items() if isinstance(part, Mapping)}
    return [(name, reason) for name, reason in reasons.items() if isinstance(reason, str)]


def _estimate(values: Any) -> Estimate:
    """A mean with its interval. Raises UserError for anything else."""
    if not isinstance(values, Mapping):
        raise UserError(f"likelihood.json: expected a mean with its interval, got {said(repr(values))}")
    return from_mapping(Estimate, values, where="likelihood.json.")
