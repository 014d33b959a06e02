"""Offline likelihood tests of a checkpoint on a store: what the command `evaluate` runs."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from vfplan.data.store import EpisodeStore
from vfplan.device import resolve_device
from vfplan.errors import UserError
from vfplan.imagination import relative_error
from vfplan.likelihood import Bits, bits_per_dim, shuffled_actions
from vfplan.models.checkpoint import Checkpoint, load_checkpoint, shipped_checkpoint
from vfplan.rundir import RunDir
from vfplan.statistics import mean_interval

if TYPE_CHECKING:
    from vfplan.evaluate import EvaluateConfig


def run(config: EvaluateConfig) -> None:
    """Score the episodes, print the table, write likelihood.json and likelihood.png."""
    device = resolve_device(config.device)
    if config.threads:
        torch.set_num_threads(config.threads)
    store = EpisodeStore.open(config.data)
    folder = Path(config.checkpoint) if config.checkpoint else shipped_checkpoint(store.meta.env)
    checkpoint = load_checkpoint(folder, device)
    _check_fit(checkpoint, store, folder)
    chosen = _held_out(checkpoint, store, config.episodes)
    true, shuffled, errors = _score(checkpoint, store, chosen, config, device)
    report = {
        "num_episodes": len(chosen),
        "num_dequantisation_samples": config.samples,
        "bound": checkpoint.model.bound,
        "bits_per_dim": _interval(true.per_episode),
        "bits_per_dim_shuffled_actions": _interval(shuffled.per_episode),
        "difference": _interval(shuffled.per_episode - true.per_episode),
        "per_level": [_interval(level) for level in true.per_level.T],
        "per_step": [_interval(step) for step in true.per_step.T],
        "per_step_shuffled_actions": [_interval(step) for step in shuffled.per_step.T],
        "rollout_error_relative_to_copying": errors,
        "checkpoint_sha256": checkpoint.sha256,
        "data_digest": store.digest,
    }
    target = RunDir(config.run_dir, config)
    target.write_json("likelihood.json", report)
    target.write_bytes("likelihood.png", _plot(report))
    print("\n".join(_lines(report)))
    print(f"wrote {target.path / 'likelihood.json'} and {target.path / 'likelihood.png'}")
    print(f"next: python -m vfplan.plan env={store.meta.env} checkpoint={folder}")


def _check_fit(checkpoint: Checkpoint, store: EpisodeStore, folder: Path) -> None:
    model = checkpoint.model.config
    expected = {"image size": model.image_size, "action width": model.action_dim or store.action_dim}
    found = {"image size": store.image_size, "action width": store.action_dim}
    for name in expected:
        if expected[name] != found[name]:
            raise UserError(f"checkpoint {folder} expects {name} {expected[name]}; {store.path} has {found[name]}")
    trained = checkpoint.environment.get("name")
    if trained != store.meta.env:
        raise UserError(f"checkpoint {folder} was trained on env={trained}; {store.path} holds env={store.meta.env}")


def _held_out(checkpoint: Checkpoint, store: EpisodeStore, count: int) -> range:
    """The last `count` episodes (0: all) that the checkpoint was not trained on."""
    last, first = len(store), 0
    if checkpoint.training.get("data", {}).get("digest") == store.digest:
        first = last - int(checkpoint.training["validation_episodes"])
        print(f"{store.path} is the training store: using its {last - first} validation episodes only")
    if count > last - first:
        raise UserError(f"episodes={count}, but {store.path} has {last - first} held-out episodes")
    return range(last - count if count else first, last)


def _score(
    checkpoint: Checkpoint, store: EpisodeStore, chosen: range, config: EvaluateConfig, device: torch.device
) -> tuple[Bits, Bits, list[float]]:
    """Bits with true and with shuffled actions, and the error of a rollout per step."""
    rng = torch.Generator(device).manual_seed(config.seed)
    actions = torch.from_numpy(np.stack([store.episode(index).actions for index in chosen])).to(device)
    if len(chosen) < 2:
        raise UserError(f"shuffling actions needs at least 2 held-out episodes; got {len(chosen)}")
    shuffled = shuffled_actions(actions, rng)
    parts: tuple[list[Bits], list[Bits]] = ([], [])
    errors = []
    with tqdm(total=len(chosen), unit="episode", mininterval=1.0) as bar:
        for rows, frames in _batches(store, chosen, config.batch, device):
            for part, given in zip(parts, (actions, shuffled), strict=True):
                part.append(bits_per_dim(checkpoint.model, frames, given[rows], rng, samples=config.samples))
            errors.append(relative_error(checkpoint.model, frames, actions[rows], downscale=2**checkpoint.model.top))
            bar.update(len(frames))
    true, other = (
        Bits(np.concatenate([b.per_step for b in part]), np.concatenate([b.per_level for b in part])) for part in parts
    )
    return true, other, torch.stack(errors).mean(0).tolist()


def _batches(store: EpisodeStore, chosen: range, size: int, device: torch.device) -> Iterator[tuple[slice, Tensor]]:
    for first in range(0, len(chosen), size):
        part = chosen[first : first + size]
        frames = torch.from_numpy(np.stack([store.episode(index).frames for index in part]))
        yield slice(first, first + len(part)), frames.permute(0, 1, 4, 2, 3).contiguous().to(device)


def _interval(values: np.ndarray) -> dict[str, float]:
    interval = mean_interval(values)
    return {"mean": interval.estimate, "low": interval.low, "high": interval.high}


def _lines(report: dict[str, Any]) -> list[str]:
    def row(label: str, value: dict[str, float]) -> str:
        return f"  {label:<28} {value['mean']:7.4f}  [{value['low']:.4f}, {value['high']:.4f}]"

    samples = report["num_dequantisation_samples"]
    errors = report["rollout_error_relative_to_copying"]
    horizons = [horizon for horizon in (1, 5, 10) if horizon <= len(errors)]
    return [
        f"{report['num_episodes']} held-out episodes, bits/dim ({report['bound']}, {samples} dequantisation sample(s))",
        row("true actions", report["bits_per_dim"]),
        row("actions of another episode", report["bits_per_dim_shuffled_actions"]),
        row("difference", report["difference"]),
        *(row(f"share of level {i}", level) for i, level in enumerate(report["per_level"])),
        "  rollout error / copying      " + ", ".join(f"{errors[h - 1]:.3f} at {h}" for h in horizons),
    ]


def _plot(report: dict[str, Any]) -> bytes:
    """A PNG of bits/dim per step, true against shuffled actions, with intervals."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    for key, label in (("per_step", "true actions"), ("per_step_shuffled_actions", "actions of another episode")):
        steps = np.arange(1, len(report[key]) + 1)
        mean, low, high = (np.array([step[name] for step in report[key]]) for name in ("mean", "low", "high"))
        axes.plot(steps, mean, label=label)
        axes.fill_between(steps, low, high, alpha=0.25)
    axes.set_xlabel("step")
    axes.set_ylabel("bits / dim")
    axes.legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()
