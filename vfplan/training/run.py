"""A training run, on one process or several: what the command `train` runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import torch

from vfplan.data.mixture import MixedSampler, Mixture
from vfplan.data.records import StoreMeta
from vfplan.data.store import EpisodeStore
from vfplan.device import resolve_device, set_threads
from vfplan.errors import UserError
from vfplan.execution.interrupts import TERMINATED, stop_asked
from vfplan.metrics.clips import clip_of
from vfplan.models.checkpoint import load_checkpoint
from vfplan.models.hand import Hand
from vfplan.models.precision import network_dtype
from vfplan.models.registry import build_model, grown
from vfplan.models.trainable import Architecture, TrainableModel
from vfplan.output.folder import RunDir
from vfplan.output.progress import Bar
from vfplan.training.distributed import Processes, local_device, processes
from vfplan.training.learner import Learner
from vfplan.training.loggers import require_installed
from vfplan.training.recorder import Recorder
from vfplan.training.resuming import earlier_state, other_digits
from vfplan.training.skipping import Skipping
from vfplan.training.snapshots import Snapshots
from vfplan.training.validator import Validator

if TYPE_CHECKING:
    from vfplan.training.settings import TrainConfig

Stop: TypeAlias = Callable[[], int]
"""The exit code that a signal asked for; 0 without one."""


def run(config: TrainConfig) -> StoreMeta | None:
    """Train to `learning.steps`, saving a resumable state and a shareable checkpoint on the way.

    Returns what the first store says of itself; None in a process that is not the first of several.
    """
    with stop_asked() as stop:
        return _run(config, stop)


def _run(config: TrainConfig, stop: Stop) -> StoreMeta | None:
    device = local_device(resolve_device(config.device))
    set_threads(config.threads)
    require_installed(config.loggers)
    on_corrupt = config.on_corrupt if config.verify == "first_touch" else None
    data = Mixture.open(config.stores, config.shares, config.validation_episodes, on_corrupt)
    config = replace(config, model=_fit_to(data.first, config))
    with processes(device) as group:
        learner = _learner(config, data, device, group)
        sampler = data.sampler(learner.window, config.seed, lead_in=config.learning.lead_in)
        validator = Validator(data.first, data.validation, learner.model.past_frames, learner.device)
        if not group.is_first:
            _resume(learner, config, data)
            _loop(learner, sampler, config, None, stop)
            return None
        Snapshots(Path(config.run_dir)).tidy()
        _resume(learner, config, data)
        recorder = Recorder(RunDir(config.run_dir, config), config, learner, validator, data)
        count = sum(parameter.numel() for parameter in learner.model.parameters())
        episodes = sum(map(len, data.stores))
        if why := learner.model.why_slow:
            _warn(f"{why}, as validation does (validation_episodes, validate_every)")
        print(f"{count:,} parameters on {device}, {episodes} episodes, {group.size} process(es)", flush=True)
        with closing(recorder):
            _loop(learner, sampler, config, recorder, stop)
    recorder.farewell()
    return data.first.meta


def _learner(config: TrainConfig, data: Mixture, device: torch.device, group: Processes) -> Learner:
    """The model, initialised in every process alike, with what trains it."""
    model = _model(config, data, device)
    group.copy_first(model)
    try:
        return Learner(model, config.learning, seed=config.seed, device=device, processes=group)
    except ValueError as error:
        raise UserError(f"learning does not fit: {error}") from error


def _compute_dtype(config: TrainConfig, device: torch.device) -> torch.dtype:
    # On a CPU bfloat16 speeds up rollouts but not the backward pass of networks this thin.
    reduced = config.precision != "auto" or device.type == "cuda"
    return network_dtype(config.precision, device) if reduced else torch.float32


def _model(config: TrainConfig, data: Mixture, device: torch.device) -> TrainableModel:
    """A fresh model with its activation normalisations set, or the one that `init` names."""
    torch.manual_seed(config.seed)
    if not config.init:
        model = build_model(config.model).to(device)
        _initialise(model, data, config)
        return model
    model = load_checkpoint(config.init, device).model
    if (larger := grown(model, config.model)) is not None:
        return larger.train()
    # The name last, for what differs besides says more.
    for key, wanted in sorted(asdict(config.model).items(), key=lambda item: item[0] == "name"):
        if (found := asdict(model.config).get(key)) != wanted:
            raise UserError(f"checkpoint {config.init} has model.{key}={found}; this run needs {wanted}")
    return model.train()


def _loop(learner: Learner, sampler: MixedSampler, config: TrainConfig, recorder: Recorder | None, stop: Stop) -> None:
    """Train to the end, or until a signal; only the first of several processes has a recorder."""
    learner.set_compute_dtype(_compute_dtype(config, learner.device))
    rows, total = max(config.learning.batch), config.learning.steps
    skipping = Skipping(learner, lambda step: sampler.episodes(step, rows), Path(config.run_dir), config.max_skipped)
    with (
        ThreadPoolExecutor(1) as loader,
        Bar(total=total, initial=learner.steps_done, unit="step", disable=recorder is None) as bar,
    ):
        ahead = loader.submit(sampler.batch, learner.steps_done, rows)
        # Processes must agree on the last step, or one would wait for the others' gradients for ever.
        while learner.steps_done < total and not learner.processes.any(bool(stop()), learner.device):
            clip = clip_of(ahead.result(), learner.device)
            ahead = loader.submit(sampler.batch, learner.steps_done + 1, rows)
            metrics = skipping.step(clip)
            bar.update()
            if recorder:
                recorder.after_step(metrics, bar)
    if learner.steps_done < total:
        if recorder:
            recorder.save()
            print(f"stopped at step {learner.steps_done}; the same command goes on", flush=True)
        sys.exit(stop() or TERMINATED)


def _fit_to(store: EpisodeStore, config: TrainConfig) -> Architecture:
    """The model for this store's image size, action width and hand; `actions=none` makes it action-free."""
    seen, about = config.actions == "all", store.meta.description
    switches = [about["action_names"].index(name) for name in about.get("switches", [])] if seen else []
    size, width = store.image_size, store.action_dim if seen else 0
    try:
        hand = Hand.from_description(about) if config.hand == "told" else None
        return replace(config.model, image_size=size, action_dim=width, switches=tuple(switches), hand=hand)
    except ValueError as error:
        raise UserError(f"the model does not fit the data in {store.path}: {error}") from error


def _initialise(model: TrainableModel, data: Mixture, config: TrainConfig) -> None:
    """Set activation normalisations from 128 windows, before anything wraps or averages the model."""
    past = model.past_frames
    sampler = data.sampler(past + 1, config.seed)
    device = next(model.parameters()).device
    clip = clip_of(sampler.batch(0, 128), device)
    rng = torch.Generator(device).manual_seed(config.seed)
    model.initialise(clip.context(past), clip.actions[:, past - 1 :], clip.frames[:, past:], rng)


def _resume(learner: Learner, config: TrainConfig, data: Mixture) -> None:
    """Go on from the state in the run folder, if there is one; one process speaks for all."""
    first = learner.processes.is_first
    state = earlier_state(config, data, learner.device, _warn if first else lambda line: None)
    if state is None:
        return
    try:
        learner.load_state_dict(state)
    except ValueError as error:
        raise UserError(f"cannot go on from {config.run_dir}: {error}; give another run_dir") from error
    if first:
        if warning := other_digits(config):
            _warn(warning)
        print(f"resuming {config.run_dir} at step {learner.steps_done}", flush=True)


def _warn(line: str) -> None:
    print(f"warning: {line}", file=sys.stderr, flush=True)
