"""Rollouts at several temperatures: what cooler noise gains in accuracy and costs in variety."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from vfplan.output.page import Picture, Table
from vfplan.statistics import Estimate
from vfplan.studies.offline.rollouts import best_of, psnr_of
from vfplan.studies.offline.section import Section, Test, line
from vfplan.studies.offline.strips import liveliest, strip
from vfplan.studies.offline.trial import Trial

Floats = NDArray[np.float64]

COLUMNS = {
    "psnr_best": ("PSNR of the best / dB", 2),
    "psnr_mean": ("PSNR mean / dB", 2),
    "diversity": ("diversity / grey levels", 2),
    "sharpness": ("sharpness", 3),
    "colour": ("colour kept", 3),
}


def measure(trial: Trial) -> Section:
    """Sample the same episodes with the same noise, scaled by each temperature."""
    episodes = trial.sampled.first(trial.settings.temperature_episodes)
    true = trial.true[: len(episodes)]
    shown = liveliest(true, 1)[0]
    numbers: dict[str, Any] = {"num_episodes": len(episodes), "num_samples": trial.settings.temperature_samples}
    rows = {"true": true[shown, trial.past - 1 :]}
    table, best = [], []
    for temperature in trial.settings.temperatures:
        values, clips = _sampled(trial, temperature, shown)
        numbers[str(temperature)] = {name: asdict(Estimate.of(column)) for name, column in values.items()}
        rows |= {f"T={temperature:g}: {name}": clip for name, clip in zip("ab", clips, strict=False)}
        cells = (
            Estimate.of(values[name]).text(digits) if name in values else "-" for name, (_, digits) in COLUMNS.items()
        )
        table.append((f"{temperature:g}", *cells))
        best.append(f"{values['psnr_best'].mean():.2f} at {temperature:g}")
    return Section(
        numbers,
        (_table(trial, tuple(table), len(episodes)), _picture(trial, rows)),
        (line(f"PSNR best of {trial.settings.temperature_samples} by temperature", ", ".join(best)),),
    )


def sharpness(frames: Tensor) -> Tensor:
    """Mean absolute difference (...) between neighbouring pixels of frames (..., C, Y, X) uint8, in grey levels."""
    images = frames.float()
    down = (images[..., 1:, :] - images[..., :-1, :]).abs().mean(dim=(-3, -2, -1))
    return down + (images[..., 1:] - images[..., :-1]).abs().mean(dim=(-3, -2, -1))


def _sampled(trial: Trial, temperature: float, shown: int) -> tuple[dict[str, Floats], list[Tensor]]:
    """The columns of the table, one value per episode, and two samples of the episode `shown`."""
    episodes = trial.sampled.first(trial.settings.temperature_episodes)
    copies = trial.settings.temperature_samples if temperature else 1  # without noise all samples are the same
    rng, values = trial.torch_rng("temperatures"), []  # the same noise for every temperature
    kept: list[Tensor] = []
    for rows, clip in trial.batches(episodes, f"temperature {temperature:g}", copies=copies):
        imagined = trial.imagine(*trial.split(clip), rng, copies=copies, temperature=temperature)
        for episode, samples in enumerate(imagined):
            values.append(_of_episode(trial, samples, clip.frames[episode].cpu()))
            if rows.start + episode == shown:
                kept = list(samples[:2])
    return {name: np.array([value[name] for value in values]) for name in values[0]}, kept


def _of_episode(trial: Trial, samples: Tensor, frames: Tensor) -> dict[str, float]:
    """The columns of the table for the samples (K, T, C, Y, X) of one episode of `frames` (P + T, C, Y, X)."""
    future = frames[trial.past :]
    scores = psnr_of(samples, future)
    values = {
        "psnr_best": float(best_of(scores[None]).mean()),
        "psnr_mean": float(scores.mean()),
        "diversity": float(samples.float().std(dim=0, correction=0).mean()),
        "sharpness": float(sharpness(samples).mean() / sharpness(future).mean().clamp_min(1e-6)),
    }
    if trial.colour is not None:
        values["colour"] = float(trial.colour.mass(samples).mean() / max(1e-6, trial.colour.mass(future).mean()))
    return values


def _table(trial: Trial, rows: tuple[tuple[str, ...], ...], episodes: int) -> Table:
    absent = "" if trial.colour is not None else " The store is grey, so there is no colour to keep."
    return Table(
        ("temperature", *(label for label, _ in COLUMNS.values())),
        rows,
        f"{episodes} episodes, {trial.settings.temperature_samples} samples each, the noise of every temperature the "
        "same but for its scale. Diversity is the spread between samples. Sharpness (differences between neighbouring "
        "pixels) and colour (mass of coloured pixels) are relative to the true frames: 1 is right, less is blurred or "
        f"faded, more is noisy.{absent}",
    )


def _picture(trial: Trial, rows: dict[str, Tensor]) -> Picture:
    return Picture(
        "temperatures.png",
        strip(rows, trial.steps),
        "Two samples per temperature of the episode with the most motion. Without noise both are the same; with it "
        "they should stay as sharp as the true frames.",
    )


TEST = Test(
    "temperatures",
    "Temperatures",
    "What does scaling the noise gain in accuracy, and what does it cost in variety?",
    measure,
)
