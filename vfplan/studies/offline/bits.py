"""Exact bits per dimension, with the true actions, with those of another episode and with none."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vfplan.metrics.likelihood import Bits, bits_per_dim, shuffled_actions
from vfplan.output.charts import curves, encoded, figure, per_step
from vfplan.output.page import Picture, Table
from vfplan.statistics import Estimate
from vfplan.studies.offline.section import Section, Test, line
from vfplan.studies.offline.trial import Trial

GIVEN = {
    "": "true actions",
    "_shuffled_actions": "actions of another episode",
    "_no_actions": "no (zero) actions",
}
"""Suffix of the keys in likelihood.json and what the actions are called."""


def measure(trial: Trial) -> Section:
    """Score every held-out episode under each kind of actions."""
    bits = _score(trial)
    numbers = _numbers(trial, bits)
    curve = {GIVEN[suffix]: per_step(values.per_step) for suffix, values in bits.items()}
    drawn, (axes,) = figure(1, width=6)
    curves(axes, curve, "bits / dim")
    picture = Picture(
        "likelihood.png",
        encoded(drawn),
        "Bits per dimension of each frame given the true frames before it. Lower is better; a model that understands "
        "actions pays much more as soon as they are wrong.",
    )
    return Section(numbers, (_table(bits, trial), _shares(bits[""]), picture), _lines(bits))


def bound(trial: Trial) -> str:
    """What the model's bits are."""
    found, samples = trial.scored_by.bound, trial.settings.samples
    counted = {"exact": "", "elbo": f", {samples} sample(s)", "dequantised": f", {samples} dequantisation sample(s)"}
    return found + counted[found]


def _score(trial: Trial) -> dict[str, Bits]:
    """Bits per kind of actions."""
    model, held_out = trial.scored_by, trial.held_out
    rng = torch.Generator(trial.device).manual_seed(trial.settings.seed)
    given: dict[str, Tensor] = {"": held_out.actions}
    if held_out.action_dim and len(held_out) > 1:
        given["_shuffled_actions"] = shuffled_actions(held_out.actions, rng)
    if held_out.action_dim:
        given["_no_actions"] = torch.zeros_like(held_out.actions)
    # Zero actions have noise of their own, so that the two older numbers stay what they were without them.
    generators = {"": rng, "_shuffled_actions": rng, "_no_actions": trial.torch_rng("no actions")}
    parts: dict[str, list[Bits]] = {suffix: [] for suffix in given}
    last = trial.past + min(trial.settings.likelihood_steps or trial.steps, trial.steps)
    for rows, clip in trial.batches(held_out, "bits per dimension"):
        for suffix, chosen in given.items():
            scored = replace(clip, actions=chosen[rows]).until(last)
            parts[suffix].append(bits_per_dim(model, scored, generators[suffix], samples=trial.settings.samples))
    return {
        suffix: Bits(*(np.concatenate([getattr(bits, field.name) for bits in part]) for field in fields(Bits)))
        for suffix, part in parts.items()
    }


def _numbers(trial: Trial, bits: dict[str, Bits]) -> dict[str, Any]:
    true = bits[""]
    numbers: dict[str, Any] = {
        "num_episodes": len(trial.held_out),
        "num_dequantisation_samples": trial.settings.samples,
        "bound": trial.scored_by.bound,
        "bits_per_dim": asdict(Estimate.of(true.per_episode)),
        "bits_per_dim_importance": asdict(Estimate.of(true.importance)),
        "per_level": [asdict(Estimate.of(level)) for level in true.per_level.T],
        "per_step": [asdict(estimate) for estimate in per_step(true.per_step)],
    }
    for suffix, other in bits.items():
        if suffix:
            numbers[f"bits_per_dim{suffix}"] = asdict(Estimate.of(other.per_episode))
            numbers[f"per_step{suffix}"] = [asdict(estimate) for estimate in per_step(other.per_step)]
            key = "difference" if suffix == "_shuffled_actions" else f"difference{suffix}"
            numbers[key] = asdict(Estimate.of(other.per_episode - true.per_episode))
    if len(bits) < len(GIVEN):
        numbers["without_other_actions"] = _why_not(trial)
    return numbers


def _why_not(trial: Trial) -> str:
    if not trial.held_out.action_dim:
        return "the model takes no actions" if trial.held_out.store.action_dim else "the store has no actions"
    return "one episode has no other's actions to take"


def _table(bits: dict[str, Bits], trial: Trial) -> Table:
    rows = []
    for suffix, label in GIVEN.items():
        if suffix not in bits:
            rows.append((label, f"absent: {_why_not(trial)}", ""))
            continue
        gap = Estimate.of(bits[suffix].per_episode - bits[""].per_episode).text(4) if suffix else ""
        rows.append((label, Estimate.of(bits[suffix].per_episode).text(4), gap))
    if trial.settings.samples > 1 and trial.scored_by.bound != "exact":
        rows.insert(1, ("true actions, importance-weighted", Estimate.of(bits[""].importance).text(4), ""))
    return Table(
        ("actions given", "bits / dim", "difference"),
        tuple(rows),
        f"-log2 p of {len(trial.held_out)} held-out episodes per dimension ({bound(trial)}; "
        f"known frames are free), with 95 % intervals over "
        "episodes. Lower is better, 8 is knowing nothing; the difference should be far above zero.",
    )


def _shares(true: Bits) -> Table:
    return Table(
        ("level", "bits / dim"),
        tuple((_level(i, true), Estimate.of(level).text(4)) for i, level in enumerate(true.per_level.T)),
        "Where the bits go, level by level of the model; the shares add up to the whole.",
    )


def _level(index: int, bits: Bits) -> str:
    count = bits.per_level.shape[1]
    names = {0: " (finest)", count - 1: " (coarsest)"} if count > 1 else {}
    return f"{index}{names.get(index, '')}"


def _lines(bits: dict[str, Bits]) -> tuple[str, ...]:
    labels = GIVEN if len(bits) > 1 else {"": "bits / dim"}
    rows = [line(labels[suffix], Estimate.of(values.per_episode).text(4)) for suffix, values in bits.items()]
    levels = ", ".join(f"{level.mean():.4f}" for level in bits[""].per_level.T)
    return (*rows, line("shares of the levels", levels))


TEST = Test(
    "likelihood",
    "Likelihood",
    "How probable is what really happened, and does the model need the actions to say so?",
    measure,
)
