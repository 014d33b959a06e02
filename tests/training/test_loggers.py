"""Every logger is told the numbers of metrics.jsonl, and a run that goes on goes on there."""

import csv
import importlib.util
import json
import sqlite3
import types

import pytest

from tests.commands.tiny import TINY
from tests.refusal import refused
from vfplan.train import main as train


def told(path):
    """The numbers in metrics.jsonl, by step and name."""
    rows = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    return {(row["step"], name): value for row in rows for name, value in row.items() if name != "step"}


def begun(store, path, logger, steps=4):
    train(
        [
            f"data={store}",
            f"run_dir={path}",
            f"logger={logger}",
            *TINY,
            f"learning.steps={steps}",
            "allow_mismatch=true",
        ]
    )


def needs(module):
    absent = importlib.util.find_spec(module) is None
    return pytest.mark.skipif(absent, reason=f"{module} not installed (pip install 'vfplan[{module}]')")


def test_csv_has_a_line_for_each_number(store, tmp_path):
    begun(store, tmp_path / "run", "csv", 2)
    begun(store, tmp_path / "run", "csv", 4)
    with (tmp_path / "run" / "metrics.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert {(int(line["step"]), line["name"]): float(line["value"]) for line in lines} == told(tmp_path / "run")


@pytest.fixture
def library(monkeypatch):
    """What stands in for wandb and trackio: it notes how it was called."""
    called = []
    for name in ("wandb", "trackio"):
        module = types.ModuleType(name)
        module.__spec__ = importlib.util.spec_from_loader(name, loader=None)
        module.init = lambda name=name, **given: called.append(("init", given))
        module.log = lambda values, step: called.append(("log", step, values))
        module.finish = lambda: called.append(("finish",))
        monkeypatch.setitem(__import__("sys").modules, name, module)
    return called


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_a_run_that_goes_on_is_the_same_run_there(store, tmp_path, library, name):
    for steps in (2, 4):
        begun(store, tmp_path / "run", name, steps)
    starts = [given for kind, *given in library if kind == "init"]
    assert len(starts) == 2
    first, second = ({key: value for key, value in given.items() if key != "config"} for (given,) in starts)
    assert first == second and first["project"] == "vfplan" and first["resume"] == "allow"
    logged = {
        (step, key): value
        for kind, *rest in library
        if kind == "log"
        for step, values in [rest]
        for key, value in values.items()
    }
    assert logged == told(tmp_path / "run") and library[-1] == ("finish",)


def test_a_training_that_ends_early_hands_over_what_it_has(store, tmp_path, library, monkeypatch):
    def breaks(self):
        raise OSError("broken")

    monkeypatch.setattr("vfplan.training.recorder.Recorder.save", breaks)
    with pytest.raises(SystemExit):
        begun(store, tmp_path / "run", "wandb")
    assert library[-2][0] == "log" and library[-1] == ("finish",)


@needs("wandb")
def test_wandb_writes_offline(store, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    begun(store, tmp_path / "run", "wandb")
    (written,) = (tmp_path / "run" / "wandb").glob("offline-run-*/run-*.wandb")
    assert b"validation/bits_per_dim" in written.read_bytes()


@needs("trackio")
def test_trackio_keeps_the_numbers(store, tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    begun(store, tmp_path / "run", "trackio")
    (path,) = (tmp_path / "trackio").glob("vfplan*.db")
    rows = sqlite3.connect(path).execute("select step, metrics from metrics").fetchall()
    assert {step for step, _ in rows} == {step for step, _ in told(tmp_path / "run")}


@needs("tensorboard")
def test_tensorboard_has_the_curves(store, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    begun(store, tmp_path / "run", "tensorboard")
    curves = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    points = {(p.step, name): p.value for name in curves.Tags()["scalars"] for p in curves.Scalars(name)}
    assert points == pytest.approx(told(tmp_path / "run"))


def test_an_unknown_logger_is_refused(tmp_path, capsys):
    message = refused(capsys, train, ["data=nowhere", "logger=[csv,wandbb]"])
    assert message == "logger must be jsonl, csv, tensorboard, wandb, trackio, or a list of such; got 'wandbb'"
