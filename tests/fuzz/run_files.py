"""The files that runs leave: checkpoints, states, settings, results, episodes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np

from tests.faults import small
from tests.fuzz.data_files import store
from tests.fuzz.reader import Reader
from vfplan.control.calibration import Calibration, read_calibration
from vfplan.control.loop import Trajectory
from vfplan.control.recording import Recording
from vfplan.control.searches import Searches, read_searches, searches_file, write_searches
from vfplan.control.surprise import SurpriseConfig
from vfplan.errors import UserError, said
from vfplan.models.checkpoint import load_checkpoint
from vfplan.models.recipe import LearningConfig
from vfplan.output.folder import file_sha256, write_json
from vfplan.reports.run import run as report_runs
from vfplan.reports.settings import ReportConfig
from vfplan.studies.benchmark.episodes import Episode, RowFolder
from vfplan.studies.card.measured import measured
from vfplan.studies.card.run import card
from vfplan.train import main as train
from vfplan.training.learner import Learner
from vfplan.training.resuming import STATE, _mapping, _state
from vfplan.training.snapshots import Snapshots

RECIPE = LearningConfig(batch=(4, 8), history_noise=(0.0, 0.01), imagined_steps=1)
"""As in `small.MODEL`."""
SHA256 = hashlib.sha256(b"weights").hexdigest()


def run(folder: Path) -> None:
    """A run with checkpoints, and the store that it is of."""
    store(folder)
    train(small.training(folder / "store", folder / "run", "learning.steps=2", "save_every=1"))
    shutil.rmtree(folder / "store")


def read_checkpoint(folder: Path) -> None:
    """As every command that plans or evaluates."""
    load_checkpoint(folder / "run" / "checkpoint")


def vouch_for_weights(folder: Path) -> None:
    """Let the description name the hash that the weights have now."""
    path = folder / "run" / "checkpoint" / "config.json"
    description = json.loads(path.read_text())
    description["sha256"] = file_sha256(folder / "run" / "checkpoint" / "model.safetensors")
    path.write_text(json.dumps(description))


def read_snapshots(folder: Path) -> None:
    """As a training that goes on."""
    snapshots = Snapshots(folder / "run")
    snapshots.tidy()
    snapshots.newest(lambda line: None)


def read_state(folder: Path) -> None:
    """As a training that goes on."""
    state = _state(folder / "run" / "checkpoint" / STATE, "cpu")
    learner = Learner(load_checkpoint(folder / "run" / "checkpoint").model.train(), RECIPE, seed=0, device="cpu")
    try:
        learner.load_state_dict(state)
    except ValueError as error:
        raise UserError(str(error)) from error


def read_settings(folder: Path) -> None:
    """As a training that goes on."""
    _mapping(folder / "run" / "config.json")


def calibration(folder: Path) -> None:
    """As `vfplan.monitor` writes it."""
    made = Calibration(SHA256, "push", 15, "icem", "dev", 0.1, 12.5, SurpriseConfig(), tuple(map(float, range(20))))
    (folder / "surprise.json").write_text(json.dumps(dataclasses.asdict(made)))


def read_monitor(folder: Path) -> None:
    """As `vfplan.plan control.monitor=`."""
    read_calibration(folder / "surprise.json", checkpoint_sha256=SHA256, env="push", steps=15)


def episode(folder: Path) -> None:
    """An episode of a benchmark."""
    done = Episode(0, (0, 0), (12.0, 3.5), ((0.5, -0.25),), (1.5, None), (0.1, 0.1), 5, None)
    RowFolder(folder / "row", {"env": "push"}).write([done])


def read_row(folder: Path) -> None:
    """As a benchmark that goes on."""
    row = RowFolder(folder / "row", {"env": "push"})
    row.check()
    row.has(range(1))


def group(folder: Path) -> None:
    """A group of tasks as `vfplan.plan` keeps it."""
    frames = np.zeros((1, 3, 8, 8, 3), np.uint8)
    infos = [[{"hand": np.zeros(3)}, {"hand": np.zeros(3)}]]
    Recording(folder / "episodes", {}).write(
        range(1), Trajectory(frames, np.zeros((1, 2, 4), np.float32), infos, plan_seconds=(0.1,))
    )


def read_group(folder: Path) -> None:
    """As `vfplan.plan` that goes on."""
    recording = Recording(folder / "episodes", {})
    recording.check()
    recording.read(range(1))


def looked_at(folder: Path) -> None:
    """What a planner looked at, as `vfplan.plan record=true` keeps it."""
    calls, images = np.zeros((2, 3, 1), np.float32), np.zeros((2, 1, 4, 4, 3), np.uint8)
    plans, futures = np.zeros((2, 1, 2, 3, 4), np.float32), np.zeros((2, 1, 2, 3, 4, 4, 3), np.uint8)
    kept = Searches(calls, calls, calls.astype(np.int64), plans, plans[..., 0, 0], futures, images, images)
    write_searches(searches_file(folder, range(1)), kept)


def read_looked_at(folder: Path) -> None:
    """As a part of a report, which turns every fault into a line."""
    try:
        read_searches(searches_file(folder, range(1)), 1)
    except Exception as error:
        raise UserError(said(error)) from error


def planned(folder: Path) -> None:
    """The results of a run, as `vfplan.plan` writes them."""
    rate = {"rate": 0.5, "low": 0.1, "high": 0.9}
    task = {"task": 0, "final_cm": 3.5, "solved_5cm": True}
    results = {"num_tasks": 1, "model": "videoflow", "solved_5cm": rate, "failed_tasks": [], "tasks": [task]}
    write_json(folder / "run" / "results.json", results)


def reported(folder: Path) -> None:
    """As `vfplan.report`."""
    report_runs(ReportConfig(str(folder / "run"), str(folder / "report.html")))


def results(folder: Path) -> None:
    """What `plan`, `evaluate` and `benchmark` leave of these weights, as far as a card has it."""
    rate, mean = {"rate": 0.5, "low": 0.25, "high": 0.75}, {"mean": 0.5, "low": 0.25, "high": 0.75}
    row = {"name": "a", "about": {"checkpoint_sha256": SHA256}, "num_tasks": 4, "end": {"5 cm": rate}}
    content = {"checkpoint_sha256": SHA256, "num_tasks": 4, "num_episodes": 4, "solved_5cm": rate, "bits_per_dim": mean}
    content |= {"distance_cm": {"median": 1.0, "start_median": 2.0}, "rows": [{**row, "distance_cm": {"median": 1.0}}]}
    for name in ("results.json", "likelihood.json", "benchmark.json"):
        (folder / name).write_text(json.dumps(content))
    (folder / "provenance.json").write_text(json.dumps({"command": ["plan.py", "env=push"], "commit": "0123"}))


def read_results(folder: Path) -> None:
    """As `vfplan.card`, each file changed alike."""
    for name in ("likelihood.json", "benchmark.json"):
        shutil.copyfile(folder / "results.json", folder / name)
        measured(folder, SHA256)


def read_facts(folder: Path) -> None:
    """As `vfplan.card` makes a card of a checkpoint."""
    path = folder / "run" / "checkpoint"
    card(path, load_checkpoint(path), {}, "mit")


READERS = {
    "config": Reader(run, "run/checkpoint/config.json", read_checkpoint),
    "facts": Reader(run, "run/checkpoint/config.json", read_facts),
    "results": Reader(results, "results.json", read_results),
    "provenance": Reader(results, "provenance.json", read_results),
    "safetensors": Reader(run, "run/checkpoint/model.safetensors", read_checkpoint, vouch_for_weights),
    "snapshot": Reader(run, "run/checkpoint/manifest.json", read_snapshots),
    "state": Reader(run, f"run/checkpoint/{STATE}", read_state),
    "settings": Reader(run, "run/config.json", read_settings),
    "calibration": Reader(calibration, "surprise.json", read_monitor),
    "benchmark": Reader(episode, "row/0000.json", read_row),
    "episodes": Reader(group, "episodes/tasks-0000-0000.npz", read_group),
    "report": Reader(planned, "run/results.json", reported),
    "searches": Reader(looked_at, "searches-0000-0000.npz", read_looked_at),
}
