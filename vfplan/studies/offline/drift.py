"""Rollouts far longer than an episode: do they stay images of this world, and does the object stay in it?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vfplan.output.charts import curves, encoded, figure, per_step
from vfplan.output.page import Picture, Table
from vfplan.output.video import gif_bytes, grid
from vfplan.statistics import Estimate
from vfplan.studies.offline.section import Section, Test, line
from vfplan.studies.offline.strips import channels_last
from vfplan.studies.offline.trial import HeldOut, Trial

Floats = NDArray[np.float64]

THUMBNAIL = 16  # pixels
SHOWN = 3  # episodes in the GIF
SECONDS_PER_FRAME = 0.1
STATISTICS = {
    "mean": ("mean pixel / grey levels", 1),
    "extreme": ("values at 0 or 255 / %", 2),
    "nearest": ("distance to the nearest true frame / grey levels", 2),
    "colour": ("colour kept", 3),
}


def measure(trial: Trial) -> Section:
    """Roll out for `long_steps` at temperature 0 and 1, and follow how far frames leave those of the store."""
    episodes = trial.sampled.first(trial.settings.long_episodes)
    clips = {
        "temperature 0": _long(trial, episodes, None),
        "temperature 1": _long(trial, episodes, trial.torch_rng("long")),
    }
    true = trial.true[: len(episodes)]
    statistics = _statistics(trial, true[:, trial.past - 1])
    of_truth = {name: statistic(true[:, trial.past :]).mean(axis=1) for name, statistic in statistics.items()}
    drift = {label: {name: statistic(clip) for name, statistic in statistics.items()} for label, clip in clips.items()}
    numbers: dict[str, Any] = {"num_episodes": len(episodes), "num_steps": trial.settings.long_steps}
    numbers["true_frames"] = {name: asdict(Estimate.of(values)) for name, values in of_truth.items()}
    for label, values in drift.items():
        numbers[label.replace(" ", "_")] = {
            name: [asdict(estimate) for estimate in per_step(value)] for name, value in values.items()
        }
    ends = {name: [drift[label][name][:, -1].mean() for label in drift] for name in drift["temperature 0"]}
    shown = "colour" if "colour" in ends else "mean"
    last = " / ".join(f"{value:.2f}" for value in ends[shown])
    text = f"{last} (T=0 / T=1; true {of_truth[shown].mean():.2f})"
    return Section(
        numbers,
        (_table(trial, of_truth, drift), _chart(trial, of_truth, drift), _film(trial, true, clips)),
        (line(f"{STATISTICS[shown][0].partition(' /')[0]} at step {trial.settings.long_steps}", text),),
    )


def cycled(actions: Tensor, steps: int) -> Tensor:
    """Actions (N, steps, A): those of (N, T, A) again and again."""
    repeats = -(-steps // actions.shape[1])
    return actions.repeat(1, repeats, 1)[:, :steps]


def _long(trial: Trial, episodes: HeldOut, rng: torch.Generator | None) -> Tensor:
    """One rollout (N, long_steps, C, Y, X) uint8 per episode, on the CPU."""
    parts = []
    for _, clip in trial.batches(episodes, "long rollouts"):
        context, actions = trial.split(clip)
        parts.append(trial.imagine(context, cycled(actions, trial.settings.long_steps), rng))
    return torch.cat(parts)[:, 0]


def _statistics(trial: Trial, known: Tensor) -> dict[str, Callable[[Tensor], Floats]]:
    """What is followed: functions from clips (N, T, C, Y, X) uint8 of the first N episodes to values (N, T)."""

    def mean(clips: Tensor) -> Floats:
        return clips.float().mean(dim=(2, 3, 4)).double().numpy()

    def extreme(clips: Tensor) -> Floats:
        return 100.0 * ((clips == 0) | (clips == 255)).float().mean(dim=(2, 3, 4)).double().numpy()

    def nearest(clips: Tensor) -> Floats:
        return np.stack([_distance(clip, trial.true, episode) for episode, clip in enumerate(clips)])

    def colour(clips: Tensor) -> Floats:
        assert trial.colour is not None
        return trial.colour.mass(clips) / np.maximum(1e-6, trial.colour.mass(known))[:, None]

    found: dict[str, Callable[[Tensor], Floats]] = {"mean": mean, "extreme": extreme}
    if len(trial.true) > 1:
        found["nearest"] = nearest
    if trial.colour is not None and (trial.colour.mass(known) > 0).all():
        found["colour"] = colour
    return found


def _distance(clip: Tensor, true: Tensor, episode: int) -> Floats:
    """Root mean square difference (T,), in grey levels, of thumbnails of clip (T, C, Y, X) to the nearest true frame.

    Only frames of other episodes count, so that true frames can be measured in the same way.
    """
    others = torch.cat([true[:episode], true[episode + 1 :]]).flatten(0, 1)
    pool, seen = _thumbnails(others).flatten(1), _thumbnails(clip).flatten(1)
    return (torch.cdist(seen, pool).amin(dim=1) / pool.shape[1] ** 0.5).double().numpy()


def _thumbnails(frames: Tensor) -> Tensor:
    size = min(THUMBNAIL, frames.shape[-2]), min(THUMBNAIL, frames.shape[-1])
    return torch.nn.functional.adaptive_avg_pool2d(frames.float(), size)


def _table(trial: Trial, of_truth: dict[str, Floats], drift: dict[str, dict[str, Floats]]) -> Table:
    steps = trial.settings.long_steps
    marks = sorted({step for step in (1, 10, trial.steps, 50, steps) if step <= steps})
    rows = []
    for name, truth in of_truth.items():
        title, digits = STATISTICS[name]
        for label, values in drift.items():
            at = (f"{values[name][:, mark - 1].mean():.{digits}f}" for mark in marks)
            rows.append((f"{title}, {label}", f"{truth.mean():.{digits}f}", *at))
    missing = [STATISTICS[name][0].partition(" /")[0] for name in STATISTICS if name not in of_truth]
    absent = f" Absent in this store: {', '.join(missing)}." if missing else ""
    return Table(
        ("", "true frames", *(f"step {mark}" for mark in marks)),
        tuple(rows),
        f"{len(drift['temperature 0']['mean'])} episodes rolled out for {steps} steps; after step {trial.steps} the "
        "episode's own actions are repeated from their beginning. A model that does not drift keeps every value near "
        f"that of true frames. The nearest true frame is looked for among other episodes, on {THUMBNAIL}-pixel "
        f"thumbnails; colour kept is relative to the last known frame, and near 0 the object is gone.{absent}",
    )


def _chart(trial: Trial, of_truth: dict[str, Floats], drift: dict[str, dict[str, Floats]]) -> Picture:
    drawn, panels = figure(len(of_truth), width=3.4, height=2.8)
    for axes, (name, truth) in zip(panels, of_truth.items(), strict=True):
        curves(axes, {label: per_step(values[name]) for label, values in drift.items()}, "", legend=name == "mean")
        axes.axhline(truth.mean(), color="black", linewidth=0.9, linestyle=":")
        axes.axvline(trial.steps, color="black", linewidth=0.6, alpha=0.4)
        axes.set_title(STATISTICS[name][0], fontsize=9)
    return Picture(
        "drift.png",
        encoded(drawn),
        "The same per step. Dotted: true frames. The vertical line is where the episode ends and its actions start "
        "again.",
    )


def _film(trial: Trial, true: Tensor, clips: dict[str, Tensor]) -> Picture:
    columns = {"true, then held": true[:, trial.past :], **clips}
    shown = [(label, channels_last(clip[:SHOWN])) for label, clip in columns.items()]
    return Picture(
        "long.gif",
        gif_bytes(grid(shown, scale=2), SECONDS_PER_FRAME),
        f"The first {min(SHOWN, len(true))} episodes, {trial.settings.long_steps} steps. The true column holds its "
        "last frame when the episode is over. The object should neither fade nor multiply.",
    )


TEST = Test(
    "drift",
    "Long rollouts",
    "Imagined far beyond the length of an episode, does the world stay the world?",
    measure,
)
