"""The offline tests of a checkpoint on a store, one after the other: what the command `evaluate` runs."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from vfplan.data.records import StoreMeta
from vfplan.data.store import EpisodeStore
from vfplan.device import resolve_device, set_threads
from vfplan.errors import UserError
from vfplan.models.base import LikelihoodModel
from vfplan.models.checkpoint import Checkpoint, checkpoint_folder, load_checkpoint, shipped_checkpoint
from vfplan.output.folder import RunDir
from vfplan.output.page import Picture
from vfplan.studies.offline import (
    bits,
    calibration,
    detection,
    drift,
    errors,
    interpolation,
    known_answers,
    moved,
    occlusion,
    position,
    rollouts,
    temperatures,
)
from vfplan.studies.offline.page import Done, page
from vfplan.studies.offline.section import Test, line
from vfplan.studies.offline.settings import EvaluateConfig
from vfplan.studies.offline.trial import HeldOut, NotApplicableError, Trial

TESTS: tuple[Test, ...] = (
    bits.TEST,
    errors.TEST,
    known_answers.TEST,
    rollouts.TEST,
    position.TEST,
    moved.TEST,
    calibration.TEST,
    detection.TEST,
    temperatures.TEST,
    interpolation.TEST,
    drift.TEST,
    occlusion.TEST,
)
"""In the order of the page; a further test is a further line here."""

AT_THE_TOP = (bits.TEST, errors.TEST)
"""What stands at the top of likelihood.json; the other tests have a section each."""


def run(config: EvaluateConfig) -> tuple[StoreMeta, Path]:
    """Make every test, print the table, write likelihood.json, the pictures and index.html.

    Returns what the store says of itself, and the folder of the checkpoint.
    """
    device = resolve_device(config.device)
    set_threads(config.threads)
    store = EpisodeStore.open(config.data)
    folder = checkpoint_folder(config.checkpoint) if config.checkpoint else shipped_checkpoint(store.meta.env)
    checkpoint = load_checkpoint(folder, device)
    _check_fit(checkpoint, store, folder)
    chosen, length = store.lasting(_held_out(checkpoint, store, config.episodes))
    trial = Trial(checkpoint.model, HeldOut(store, chosen, checkpoint.model.action_dim, device, length), config)
    if why := checkpoint.model.why_slow:
        print(f"warning: {why}", file=sys.stderr, flush=True)
    target = RunDir(config.run_dir, config)
    results = [perform(test, trial) for test in TESTS]
    report = {**as_json(results), "checkpoint_sha256": checkpoint.sha256, "data_digest": store.digest}
    for picture in _pictures(results):
        target.write_bytes(picture.file, picture.content)
    target.write_json("likelihood.json", report)
    facts = {
        "checkpoint": f"{folder} ({checkpoint.sha256[:12]})",
        "data": f"{store.path} ({store.digest[:12]})",
        "held-out episodes": f"{len(chosen)}, of {length} actions",
        "seed": str(config.seed),
    }
    target.write_text("index.html", page(f"Offline tests: {store.meta.env}", facts, results))
    print("\n".join(_lines(trial, results)))
    print(f"wrote {target.path / 'likelihood.json'}, {target.path / 'index.html'} and its pictures")
    return store.meta, folder


def perform(test: Test, trial: Trial) -> Done:
    """Make one test; a model or store that it cannot be made with gives a reason in place of a section."""
    start = time.perf_counter()
    try:
        section, absent = test.measure(trial), ""
    except NotApplicableError as error:
        section, absent = None, str(error)
    return Done(test, section, absent, time.perf_counter() - start)


def as_json(results: list[Done]) -> dict[str, Any]:
    """The content of likelihood.json.

    Some numbers are at the top, those of every other test under its name; and what each picture shows.
    """
    report: dict[str, Any] = {}
    sections: dict[str, Any] = {}
    for done in results:
        if done.section is None:
            sections[done.test.name] = {"absent": done.absent}
        elif done.test in AT_THE_TOP:
            report |= done.section.numbers
        else:
            sections[done.test.name] = dict(done.section.numbers)
    seconds = {done.test.name: round(done.seconds, 2) for done in results}
    captions = {picture.file: picture.sentence for picture in _pictures(results)}
    return {**report, "sections": sections, "seconds": seconds, "pictures": captions}


def _pictures(results: list[Done]) -> list[Picture]:
    items = [item for done in results if done.section for item in done.section.items]
    return [item for item in items if isinstance(item, Picture)]


def _check_fit(checkpoint: Checkpoint, store: EpisodeStore, folder: Path) -> None:
    model = checkpoint.model
    expected = {"image size": model.config.image_size, "action width": model.action_dim or store.action_dim}
    found = {"image size": store.image_size, "action width": store.action_dim}
    for name in expected:
        if expected[name] != found[name]:
            raise UserError(f"checkpoint {folder} expects {name} {expected[name]}; {store.path} has {found[name]}")
    if model.config.hand and not store.episode(0).hand.size:
        raise UserError(f"checkpoint {folder} is told where the hand is; {store.path} does not say it")
    trained = checkpoint.environment.get("name")
    if trained != store.meta.env:
        raise UserError(f"checkpoint {folder} was trained on env={trained}; {store.path} holds env={store.meta.env}")


def _held_out(checkpoint: Checkpoint, store: EpisodeStore, count: int) -> range:
    """The last `count` episodes (0: all) that the checkpoint was not trained on."""
    last, first, training = len(store), 0, checkpoint.training
    # Checkpoints that were trained on one store may name it under `data` alone.
    if store.digest in {about.get("digest") for about in (training.get("data", {}), *training.get("stores", []))}:
        first = last - int(training["validation_episodes"])
        print(f"{store.path} is a training store: using its {last - first} validation episodes only")
    if count > last - first:
        raise UserError(f"episodes={count}, but {store.path} has {last - first} held-out episodes")
    return range(last - count if count else first, last)


def _lines(trial: Trial, results: list[Done]) -> list[str]:
    """The table: a line or two per test."""
    scored = f", bits/dim ({bits.bound(trial)})" if isinstance(trial.model, LikelihoodModel) else ""
    rows = [
        f"{len(trial.held_out)} held-out episodes{scored}; {len(trial.sampled)} episodes with "
        f"{trial.settings.rollout_samples} sampled rollouts each"
    ]
    for done in results:
        rows += done.section.lines if done.section else [line(done.test.title.lower(), f"absent: {done.absent}")]
    return rows
