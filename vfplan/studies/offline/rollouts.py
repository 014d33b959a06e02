"""PSNR and SSIM of imagined frames: sampled, expected, and copied from the last known frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from vfplan.metrics.similarity import QUANTISATION_PSNR, WINDOW, psnr, ssim
from vfplan.output.charts import curves, encoded, figure, per_step
from vfplan.output.page import Picture, Table
from vfplan.statistics import Estimate
from vfplan.studies.offline.section import Section, Test, line
from vfplan.studies.offline.strips import liveliest, strip
from vfplan.studies.offline.trial import Trial

Floats = NDArray[np.float64]

METRICS = {"psnr": ("PSNR / dB", 2), "ssim": ("SSIM", 4)}
BRIGHTER = 4
"""How much more is shown of the spread than there is."""
ROWS = {
    "copying": "copying the last frame",
    "expected": "temperature 0",
    "mean_of_samples": "mean over samples",
    "best_of_samples": "best of samples",
}


@dataclass(frozen=True)
class Scores:
    """One metric per episode and step, (N, T), for each of `ROWS`."""

    rows: Mapping[str, Floats]

    @classmethod
    def of(cls, samples: Floats, expected: Floats, copying: Floats) -> Scores:
        """From the scores of samples (N, K, T), of the temperature-0 rollout and of copying, (N, T) each."""
        return cls(
            {
                "copying": copying,
                "expected": expected,
                "mean_of_samples": samples.mean(axis=1),
                "best_of_samples": best_of(samples),
            }
        )


def best_of(scores: Floats) -> Floats:
    """The scores (N, T) of each episode's best sample by its mean over steps, from (N, K, T).

    One sample is chosen for the whole episode, as by Denton and Fergus (2018), not one for each step.
    """
    best = scores.mean(axis=2).argmax(axis=1)
    return scores[np.arange(len(scores)), best]


def spread(samples: Tensor) -> Tensor:
    """A clip (T, C, Y, X) uint8: the standard deviation between samples (K, T, C, Y, X), `BRIGHTER` times as bright."""
    return (BRIGHTER * samples.float().std(dim=0, correction=0)).clamp(0, 255).byte()


def measure(trial: Trial) -> Section:
    """Score the sampled and the temperature-0 rollouts of the sampled episodes."""
    metrics = {"psnr": psnr_of}
    if min(trial.true.shape[-2:]) >= WINDOW:
        metrics["ssim"] = ssim_of
    scores = {name: _scores(trial, metric) for name, metric in metrics.items()}
    return Section(_numbers(trial, scores), (_table(trial, scores), *_pictures(trial, scores)), _lines(trial, scores))


def psnr_of(frames: Tensor, true: Tensor) -> Floats:
    """PSNR in dB (...) of frames (..., C, Y, X) uint8; equal ones get that of an image and its 8-bit copy, 58.9 dB."""
    values = psnr(frames.float() / 255, true.float() / 255)
    return values.clamp_max(QUANTISATION_PSNR).double().cpu().numpy()


def ssim_of(frames: Tensor, true: Tensor) -> Floats:
    """SSIM (...) of frames (..., C, Y, X) uint8."""
    return ssim(frames.float() / 255, true.float() / 255).double().cpu().numpy()


def _scores(trial: Trial, metric: Any) -> Scores:
    rows = []
    for frames, samples, expected in zip(trial.true, trial.samples, trial.expected, strict=True):
        known, future = frames[trial.past - 1], frames[trial.past :].to(trial.device)
        pairs = (samples.to(trial.device), expected.to(trial.device), known.to(trial.device).expand_as(future))
        rows.append([metric(candidate, future) for candidate in pairs])
    samples, expected, copying = (np.stack([row[kind] for row in rows]) for kind in range(3))
    return Scores.of(samples, expected, copying)


def _numbers(trial: Trial, scores: Mapping[str, Scores]) -> dict[str, Any]:
    numbers: dict[str, Any] = {
        "num_episodes": len(trial.sampled),
        "num_samples": trial.settings.rollout_samples,
        "ssim_absent": None if "ssim" in scores else _no_ssim(trial),
    }
    for row in ROWS:
        numbers[row] = {}
        for metric, values in scores.items():
            numbers[row][metric] = asdict(Estimate.of(values.rows[row].mean(axis=1)))
            numbers[row][f"{metric}_per_step"] = [asdict(estimate) for estimate in per_step(values.rows[row])]
    return numbers


def _no_ssim(trial: Trial) -> str:
    rows, columns = trial.true.shape[-2:]
    return f"frames of {rows} x {columns} pixels are smaller than its {WINDOW} x {WINDOW} window"


def _table(trial: Trial, scores: Mapping[str, Scores]) -> Table:
    marks = trial.horizons()
    header = ["", *(METRICS[metric][0] for metric in scores), *(f"PSNR at {step}" for step in marks)]
    rows = []
    for row, label in ROWS.items():
        means = [
            Estimate.of(values.rows[row].mean(axis=1)).text(METRICS[metric][1]) for metric, values in scores.items()
        ]
        at = [f"{scores['psnr'].rows[row][:, step - 1].mean():.2f}" for step in marks]
        rows.append((label, *means, *at))
    missing = "" if "ssim" in scores else f" SSIM is absent: {_no_ssim(trial)}."
    return Table(
        tuple(header),
        tuple(rows),
        f"{len(trial.sampled)} episodes, {trial.settings.rollout_samples} samples each, {trial.steps} steps from "
        f"{trial.past} known frames, 95 % intervals over episodes. Higher is better. The best sample is the one of "
        "highest mean over the steps; it should beat copying clearly, and the mean over samples should not fall far "
        f"behind it. Equal frames count as {QUANTISATION_PSNR:.1f} dB.{missing}",
    )


def _pictures(trial: Trial, scores: Mapping[str, Scores]) -> tuple[Picture, Picture]:
    drawn, panels = figure(len(scores))
    for axes, (metric, values) in zip(panels, scores.items(), strict=True):
        curves(axes, {ROWS[row]: per_step(values.rows[row]) for row in ROWS}, METRICS[metric][0])
    chart = Picture(
        "rollouts.png", encoded(drawn), "The same per step. Good curves fall slowly and stay above that of copying."
    )
    chosen = liveliest(trial.true, 2)
    rows = {}
    for name, episode in zip("ab", chosen, strict=False):
        closeness = psnr_of(trial.samples[episode], trial.true[episode, trial.past :]).mean(axis=1)
        rows[f"{name}: true"] = trial.true[episode, trial.past - 1 :]
        rows[f"{name}: temperature 0"] = trial.expected[episode]
        rows[f"{name}: best sample"] = trial.samples[episode][int(closeness.argmax())]
        rows[f"{name}: worst sample"] = trial.samples[episode][int(closeness.argmin())]
        rows[f"{name}: spread"] = spread(trial.samples[episode])
    frames = Picture(
        "rollouts-frames.png",
        strip(rows, trial.steps),
        f"The {len(chosen)} sampled episodes with the most motion, step by step from the last known frame (0); of "
        f"{trial.settings.rollout_samples} samples those of the highest and of the lowest mean PSNR. Both should look "
        "like true frames and differ only where the future is open. Spread: the standard deviation between samples, "
        f"{BRIGHTER} times as bright; dark where they agree.",
    )
    return chart, frames


def _lines(trial: Trial, scores: Mapping[str, Scores]) -> tuple[str, ...]:
    def row(metric: str) -> str:
        digits = METRICS[metric][1]
        parts = (f"{scores[metric].rows[name].mean():.{digits}f}" for name in reversed(ROWS))
        return " / ".join(parts)

    label = f"best/mean of {trial.settings.rollout_samples}, T=0, copying"
    lines = [line(f"PSNR {label}", row("psnr"))]
    return (*lines, line("SSIM", row("ssim"))) if "ssim" in scores else tuple(lines)


TEST = Test(
    "rollouts",
    "Sampled rollouts",
    "How close do imagined frames come to the true ones, many steps after the last frame that the model saw?",
    measure,
)
