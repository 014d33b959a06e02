"""A training run: data in, metrics, pictures and checkpoints out, resumable. What the command `train` runs."""

from __future__ import annotations

import io
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import torch
from tqdm import tqdm

from vfplan.data.store import EpisodeStore
from vfplan.data.windows import WindowSampler
from vfplan.device import resolve_device
from vfplan.errors import UserError
from vfplan.learning import Learner
from vfplan.models.base import Context
from vfplan.models.build import build_model
from vfplan.models.checkpoint import save_checkpoint
from vfplan.models.precision import network_dtype
from vfplan.models.videoflow import Architecture, VideoFlow
from vfplan.rundir import RunDir, provenance
from vfplan.validation import Validator

if TYPE_CHECKING:
    from vfplan.train import TrainConfig

STATE = "state.pt"


def run(config: TrainConfig) -> None:
    """Train to `learning.steps`, saving a resumable state and a shareable checkpoint on the way."""
    device = resolve_device(config.device)
    if config.threads:
        torch.set_num_threads(config.threads)
    store = EpisodeStore.open(config.data)
    config = replace(config, model=_fit_to(store, config.model, config.actions))
    torch.manual_seed(config.seed)
    model = build_model(config.model).to(device)
    _initialise(model, store, config)
    learner = Learner(model, config.learning, seed=config.seed, device=device)
    # On a CPU bfloat16 speeds up rollouts but not the backward pass of networks this thin.
    reduced = config.precision != "auto" or device.type == "cuda"
    learner.set_compute_dtype(network_dtype(config.precision, device) if reduced else torch.float32)
    sampler, validator = _split(config, store, learner)
    folder = RunDir(config.run_dir, config)
    _resume(learner, config)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters on {device}, {len(store)} episodes", flush=True)

    def save() -> None:
        torch.save(learner.state_dict(), buffer := io.BytesIO())
        folder.write_bytes(STATE, buffer.getvalue())
        training = {
            "steps": learner.steps_done,
            "seconds": round(learner.seconds),
            "validation_episodes": config.validation_episodes,
            "data": _summary(store),
            "learning": asdict(config.learning),
            **provenance(),
        }
        save_checkpoint(
            folder.file("checkpoint"), learner.averaged, environment=store.meta.description, training=training
        )

    _loop(learner, sampler, validator, folder, config, save)
    print(f"wrote {folder.path / 'checkpoint'}, {folder.path / 'metrics.jsonl'} and {folder.path / 'validation.png'}")
    print(f"next: python -m vfplan.evaluate checkpoint={folder.path / 'checkpoint'} data={config.data}")
    print(f"      python -m vfplan.plan env={store.meta.env} checkpoint={folder.path / 'checkpoint'}")


def _loop(
    learner: Learner,
    sampler: WindowSampler,
    validator: Validator,
    run: RunDir,
    config: TrainConfig,
    save: Callable[[], None],
) -> None:
    rows, total = max(config.learning.batch), config.learning.steps
    started, first = time.monotonic(), learner.steps_done
    with (
        _stop_on_signal() as stopped,
        ThreadPoolExecutor(1) as loader,
        tqdm(total=total, initial=first, unit="step", mininterval=2.0) as bar,
    ):
        ahead = loader.submit(sampler.batch, learner.steps_done, rows)
        while learner.steps_done < total and not stopped():
            frames, actions = map(torch.from_numpy, ahead.result())
            ahead = loader.submit(sampler.batch, learner.steps_done + 1, rows)
            metrics = learner.step(frames.to(learner.device), actions.to(learner.device))
            step = learner.steps_done
            bar.update()
            if step % config.log_every == 0:
                speed = (step - first) / (time.monotonic() - started)
                run.append_metrics({"step": step, **metrics, "steps_per_second": speed})
                bar.set_postfix_str(f"{metrics['bits_per_dim']:.3f} bits/dim")
            if step % config.validate_every == 0 or step == total:
                report = validator.report(learner.averaged)
                run.append_metrics({"step": step, **{f"validation/{key}": value for key, value in report.items()}})
                run.write_bytes("validation.png", validator.picture(learner.averaged))
                bar.write(f"step {step}: " + ", ".join(f"{key} {value:.4f}" for key, value in report.items()))
            if step % config.save_every == 0 or step == total:
                save()
    if learner.steps_done < total:
        save()
        print(f"stopped at step {learner.steps_done}; the same command goes on", flush=True)
        sys.exit(143)


def _summary(store: EpisodeStore) -> dict[str, Any]:
    """What a checkpoint says of its data."""
    meta = store.meta
    return {
        "episodes": meta.episodes,
        "length": meta.length,
        "policy": meta.policy,
        "seed": meta.seed,
        "digest": store.digest,
    }


def _fit_to(store: EpisodeStore, model: Architecture, actions: str) -> Architecture:
    """The model for this store's image size and action width; `actions=none` makes it action-free."""
    try:
        return replace(model, image_size=store.image_size, action_dim=store.action_dim if actions == "all" else 0)
    except ValueError as error:
        raise UserError(f"the model does not fit the data in {store.path}: {error}") from error


def _initialise(model: VideoFlow, store: EpisodeStore, config: TrainConfig) -> None:
    """Set activation normalisations from 128 windows, before anything wraps or averages the model."""
    past = model.past_frames
    sampler = WindowSampler(store, past + 1, seed=config.seed, episodes=range(_kept(config, store)))
    device = next(model.parameters()).device
    frames, actions = (torch.from_numpy(array).to(device) for array in sampler.batch(0, 128))
    known = Context(frames[:, :past], actions[:, : past - 1])
    rng = torch.Generator(device).manual_seed(config.seed)
    model.initialise(known, actions[:, past - 1 :], frames[:, past:], rng)


def _split(config: TrainConfig, store: EpisodeStore, learner: Learner) -> tuple[WindowSampler, Validator]:
    """Windows of all but the last episodes, and a validator on the last ones."""
    kept = _kept(config, store)
    sampler = WindowSampler(store, learner.window, seed=config.seed, episodes=range(kept))
    return sampler, Validator(store, range(kept, len(store)), learner.model.past_frames, learner.device)


def _kept(config: TrainConfig, store: EpisodeStore) -> int:
    """How many episodes, from the first one on, may be trained on."""
    kept = len(store) - config.validation_episodes
    if kept < 1:
        raise UserError(
            f"the store in {store.path} has {len(store)} episodes; validation_episodes={config.validation_episodes} "
            "leaves none to train on"
        )
    return kept


def _resume(learner: Learner, config: TrainConfig) -> None:
    """Load the state of an earlier run of the same configuration from the run folder, if there is one."""
    folder = Path(config.run_dir)
    if not (folder / STATE).is_file():
        return
    earlier = json.loads((folder / "config.json").read_text())
    for part in ("model", "learning", "seed"):
        now = json.loads(json.dumps(asdict(config)[part]))
        if earlier[part] != now:
            raise UserError(f"{folder} holds a run with {part}={earlier[part]}, not {now}; give another run_dir")
    learner.load_state_dict(torch.load(folder / STATE, map_location=learner.device, weights_only=True))
    print(f"resuming {folder} at step {learner.steps_done}", flush=True)


@contextmanager
def _stop_on_signal() -> Iterator[Callable[[], bool]]:
    """Turn SIGTERM and the first SIGINT into a flag, so that the step under way is finished and saved."""
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if received and number == signal.SIGINT:
            raise KeyboardInterrupt
        received.append(number)

    previous = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
