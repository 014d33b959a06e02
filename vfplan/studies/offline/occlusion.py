"""Object permanence: is the object remembered while something hides it?"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vfplan.metrics.localisation import held
from vfplan.output.page import Picture, Table
from vfplan.statistics import Estimate
from vfplan.studies.offline.position import centimetres
from vfplan.studies.offline.section import Section, Test, line
from vfplan.studies.offline.strips import strip
from vfplan.studies.offline.trial import NotApplicableError, Trial

Floats = NDArray[np.float64]

HIDDEN, SEEN = 0.25, 0.5  # shares of the coloured mass that the episode usually shows
HORIZON = 10  # steps within which the object must be seen again
SHOWN = 3  # windows in the picture
COLUMNS = {"expected": "temperature 0", "samples": "samples", "copying": "copying", "true": "true frame"}


@dataclass(frozen=True)
class Window:
    """A place where the object is hidden in the last known frame and seen again later."""

    episode: int
    last: int
    """Index of the last known frame."""
    wait: int
    """Steps until the object is seen again."""
    seen_before: bool
    """Whether an earlier known frame shows the object."""


@dataclass(frozen=True)
class Outcome:
    """What became of one window when the object is seen again: a number for each of `COLUMNS`."""

    seen_before: bool
    mass: tuple[float, ...]
    """Coloured mass, relative to what the episode usually shows."""
    cm: tuple[float, ...]
    """Distance from the true pose; NaN if the object cannot be found in the known frames, for copying then has none."""


def find_windows(mass: Floats, past: int) -> list[Window]:
    """At most one window per episode, from coloured masses (N, T + 1): one with an earlier sighting if there is any.

    The object is hidden when less than a quarter of the mass that the episode usually shows (its 90th percentile) is
    left, and seen when half of it is there.
    """
    share = mass / np.maximum(1e-9, np.quantile(mass, 0.9, axis=1))[:, None]
    windows = []
    for episode, shown in enumerate(share):
        found = []
        for last in range(past - 1, len(shown) - 1):
            later = np.flatnonzero(shown[last + 1 : last + 1 + HORIZON] >= SEEN)
            if shown[last] <= HIDDEN and later.size:
                before = bool((shown[last - past + 1 : last] >= SEEN).any())
                found.append(Window(episode, last, int(later[0]) + 1, before))
        windows += sorted(found, key=lambda window: not window.seen_before)[:1]
    return windows


def measure(trial: Trial) -> Section:
    """Find the windows in all held-out episodes, imagine what follows, and look when the object is seen again."""
    mass = _masses(trial)
    windows = find_windows(mass, trial.past)
    if not windows:
        raise NotApplicableError(f"in none of {len(mass)} episodes is the object hidden and seen again")
    usual = np.quantile(mass, 0.9, axis=1)
    windows = sorted(windows, key=lambda window: not window.seen_before)
    windows = windows[: trial.settings.sample_episodes or len(windows)]
    rng = trial.torch_rng("occlusion")
    clips = [_imagined(trial, window, rng) for window in windows]
    outcomes = [
        _outcome(trial, window, *clip, usual[window.episode]) for window, clip in zip(windows, clips, strict=True)
    ]
    numbers = _numbers(trial, windows, outcomes)
    return Section(numbers, (_table(numbers), _picture(windows, clips)), _lines(numbers))


def _masses(trial: Trial) -> Floats:
    """Coloured masses (N, T + 1) of all held-out episodes."""
    locator = trial.locator
    batches = trial.batches(trial.held_out, "hidden objects")
    return np.concatenate([locator.colour.mass(clip.frames.cpu()) for _, clip in batches])


def _imagined(trial: Trial, window: Window, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """The true frames (P + wait, C, Y, X), the temperature-0 rollout (wait, ...) and samples (K, wait, ...)."""
    held_out = trial.held_out
    alone = replace(held_out, chosen=[held_out.chosen[window.episode]])
    first, clip = window.last - trial.past + 1, alone.clip()
    context, actions = clip.context(trial.past, first), clip.actions[:, window.last : window.last + window.wait]
    samples = trial.imagine(context, actions, rng, copies=trial.settings.temperature_samples)[0]
    true = clip.frames[0, first : window.last + window.wait + 1]
    return true.cpu(), trial.imagine(context, actions, None)[0, 0], samples


def _outcome(trial: Trial, window: Window, true: Tensor, expected: Tensor, samples: Tensor, usual: float) -> Outcome:
    clips = (expected[None], samples, true[None, : trial.past], true[None, trial.past :])
    pose = trial.held_out.object_xy[window.episode, window.last + window.wait, 0]
    sighting = held(trial.locator.locate(true[: trial.past])[0])[-1]
    ends = [trial.follow(clip, sighting)[0][:, -1] for clip in clips]
    found = np.isfinite(sighting).all()
    mass = (float(trial.locator.colour.mass(clip[:, -1]).mean() / usual) for clip in clips)
    cm = (float(centimetres(end, pose).mean()) if found else np.nan for end in ends)
    return Outcome(window.seen_before, tuple(mass), tuple(cm))


def _numbers(trial: Trial, windows: list[Window], outcomes: list[Outcome]) -> dict[str, Any]:
    numbers: dict[str, Any] = {
        "num_episodes": len(trial.held_out),
        "num_windows": len(windows),
        "num_seen_before": sum(window.seen_before for window in windows),
        "steps_until_seen": float(np.mean([window.wait for window in windows])),
    }
    for kind, before in (("seen_before", True), ("never_seen", False)):
        part = [outcome for outcome in outcomes if outcome.seen_before is before]
        for measured in ("mass", "cm"):
            values = np.array([getattr(outcome, measured) for outcome in part]).reshape(-1, len(COLUMNS))
            values = values[np.isfinite(values).all(axis=1)]
            if len(values):
                estimates = {name: asdict(Estimate.of(column)) for name, column in zip(COLUMNS, values.T, strict=True)}
                numbers.setdefault(kind, {})[measured] = estimates
    return numbers


def _table(numbers: dict[str, Any]) -> Table:
    rows = []
    for kind, label in (("seen_before", "seen in the known frames"), ("never_seen", "not seen there")):
        for measured, unit in (("mass", "colour shown"), ("cm", "error / cm")):
            estimates = numbers.get(kind, {}).get(measured)
            if estimates:
                rows.append((f"{label}: {unit}", *(Estimate(**estimates[name]).text(2) for name in COLUMNS)))
    return Table(
        ("when the object is seen again", *COLUMNS.values()),
        tuple(rows),
        f"{numbers['num_windows']} windows in {numbers['num_episodes']} episodes (at most one each) in which less "
        f"than {100 * HIDDEN:.0f} % of the object is left in the last known frame and at least {100 * SEEN:.0f} % is "
        f"seen again within {HORIZON} steps ({numbers['steps_until_seen']:.1f} on average); "
        f"{numbers['num_seen_before']} show it in an earlier known frame. Colour shown is relative to what the "
        "episode usually shows: a model that remembers brings back what the true frame has. The error is the distance "
        "from the true pose; copying keeps the last sighting, the true frame has the method's own error.",
    )


def _picture(windows: list[Window], clips: list[tuple[Tensor, Tensor, Tensor]]) -> Picture:
    steps = max(window.wait for window in windows[:SHOWN])
    rows: dict[str, Tensor] = {}
    for name, (true, expected, samples) in zip("abc", clips[:SHOWN], strict=False):
        clip = {"true": true, "temperature 0": expected, "sample": samples[0]}
        rows |= {f"{name}: {label}": _padded(frames, steps - len(expected)) for label, frames in clip.items()}
    return Picture(
        "occlusion.png",
        strip(rows, steps),
        f"{min(SHOWN, len(windows))} of the windows, from the known frames (up to 0) to where the object is seen "
        "again (the last frame, held). It should come back where it is in the true row.",
    )


def _padded(clip: Tensor, count: int) -> Tensor:
    """The clip with its last frame repeated `count` times more."""
    return torch.cat([clip, clip[-1:].expand(count, -1, -1, -1)])


def _lines(numbers: dict[str, Any]) -> tuple[str, ...]:
    text = f"{numbers['num_windows']} windows"
    if "cm" in numbers.get("seen_before", {}):
        cm = numbers["seen_before"]["cm"]
        text += f", cm T=0 / copying {cm['expected']['mean']:.1f} / {cm['copying']['mean']:.1f}"
    return (line("hidden object", text),)


TEST = Test(
    "occlusion",
    "Hidden objects",
    "Is the object remembered while something hides it?",
    measure,
)
