"""No command unpickles a file, imports what a file names, or connects to anything: watched by an audit hook."""

import json
import pickle
import shutil
import socket
import subprocess
import sys
import zipfile
from importlib import import_module
from pathlib import Path

import pytest
import torch

from tests.commands.tiny import TINY
from tests.data import records
from tests.data.formats import files
from tests.faults.watching import watched
from tests.refusal import refused
from vfplan.output.folder import file_sha256

TRAP = "vfplan_test_trap"
PLAN = ["planner.samples=3", "planner.elites=1", "planner.iterations=1"]
LOOP = ["env=push", "tasks=dev", "num_tasks=1", "device=cpu"]
SIMULATED = [*LOOP, f'settings="{" ".join(PLAN)}"']


@pytest.fixture
def trap(tmp_path, monkeypatch):
    """The name of a module that leaves a file when it is imported, and that file."""
    sprung = tmp_path / "sprung"
    (tmp_path / f"{TRAP}.py").write_text(f"open({str(sprung)!r}, 'w').close()\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield sprung
    sys.modules.pop(TRAP, None)


class Sprung:
    """Unpickling this would import the trap."""

    def __reduce__(self):
        return __import__, (TRAP,)


@pytest.fixture
def folder(tmp_path):
    """A TFRecord of BAIR to convert, and a file of stable-worldmodel to import."""
    files.swm(tmp_path / "foreign.h5")
    (tmp_path / "softmotion30_44k" / "train").mkdir(parents=True)
    record = records.framed(records.example(records.bair_features(records.trajectory(0))))
    (tmp_path / "softmotion30_44k" / "train" / "traj_0_to_0.tfrecords").write_bytes(record)
    return tmp_path


COMMANDS = {
    "collect": ["env=push", "env.image_size=16", "env.length=4", "episodes=2", "workers=1", "out={here}/store"],
    "generate": ["source=slip", "source.image_size=20", "episodes=2", "workers=1", "out={here}/store"],
    "convert": ["source={here}/softmotion30_44k", "out={here}/store", "workers=1"],
    "train": ["data={store}", *TINY, "learning.steps=1"],
    "evaluate": ["data={store}", "checkpoint={run}/checkpoint", "rollout_samples=2", "temperatures=[0.5]",
                 "temperature_samples=2", "detection_steps=2", "long_steps=30", "device=cpu"],
    "plan": [*LOOP, *PLAN, "checkpoint={run}/checkpoint", "control.steps=2"],
    "benchmark": [*SIMULATED, "steps=2", "models=[oracle]"],
    "monitor": ["env=push", "planner=random", "control.steps=6", "lockstep=2", "device=cpu", "calibration_episodes=4",
                "false_alarms=0.2", "episodes=4", "faults=[blank]", "fault_from=2", "fault_to=3", "reactions=[stop]",
                "checkpoint={run}/checkpoint"],
    "audit": [*LOOP, *PLAN, "checkpoint={run}/checkpoint"],
    "predictability": ["env=push", "episodes=24", "steps=2", "workers=1", "device=cpu", "env.length=8"],
    "check": ["env=push", "env.length=2"],
    "card": ["checkpoint={run}/checkpoint", "out={here}/card.md"],
    "speed": ["models=[videoflow]", "image_size=16", "rows=1", "steps=1", "repeats=1", "device=cpu"],
    "data": ["verify", "data={store}"],
    "report": ["{run}", "out={here}/report.html"],
    "data inspect": ["inspect", "data={store}"],
    "data preview": ["preview", "data={store}", "out={here}/seen"],
    "data merge": ["merge", "data=[{store},{store}]", "out={here}/both", "workers=1"],
    "data split": ["split", "data={store}", "out={here}/part", "workers=1"],
    "data export": ["export", "data={store}", "format=swm", "out={here}/a.h5"],
    "data import": ["import", "source={here}/foreign.h5", "format=swm", "out={here}/store", "workers=1"],
}  # fmt: skip


def main_of(command):
    return import_module("vfplan.data.__main__" if command.startswith("data") else f"vfplan.{command}").main


def filled(words, **values):
    return [word.replace("{here}", values["here"]).replace("{store}", values["store"]).replace("{run}", values["run"])
            for word in words]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_unpickles_nothing_and_calls_nobody(command, store, run, folder):
    given = filled(COMMANDS[command], here=str(folder), store=str(store), run=str(run))
    given += [] if command.split()[0] in ("card", "check", "data", "report") else [f"run_dir={folder / 'out'}"]
    with watched() as seen:
        main_of(command)(given)
    assert seen.unpickled == [] and seen.called == []


def test_the_watch_sees_what_it_should(trap, tmp_path):
    (tmp_path / "evil").write_bytes(pickle.dumps(Sprung()))
    with watched() as seen:
        pickle.loads((tmp_path / "evil").read_bytes())
        with socket.socket() as here:
            here.bind(("127.0.0.1", 0))
    assert trap.exists() and seen.unpickled and TRAP in seen.imported and len(seen.called) == 1


def copied(path, to, file, change):
    """A copy of a folder in which one file of JSON is changed."""
    copy = shutil.copytree(path, to)
    content = json.loads((copy / file).read_text())
    change(content)
    (copy / file).write_text(json.dumps(content))
    return copy


def named(*keys, value=None):
    """A change that puts the trap's name, or `value`, at a key."""

    def change(content):
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = f"{TRAP}:Env-v0" if value is None else value

    return change


def expect_untouched(seen, trap):
    assert not trap.exists() and TRAP not in seen.imported and seen.unpickled == []


CHECKPOINTS = {
    "_target_": named("model", "_target_", value=f"{TRAP}.Model"),
    "_target_ at the top": named("_target_", value=f"{TRAP}.Model"),
    "name": named("model", "name", value=f"{TRAP}.Model"),
    "priors": named("model", "priors", value=[{"_target_": f"{TRAP}.Prior"}]),
    "environment": named("environment", "name"),
}


@pytest.mark.parametrize("change", CHECKPOINTS)
@pytest.mark.parametrize("command", ["plan", "evaluate", "train"])
def test_a_checkpoint_names_nothing_that_is_imported(command, change, store, run, trap, tmp_path, capsys):
    evil = copied(run / "checkpoint", tmp_path / "evil", "config.json", CHECKPOINTS[change])
    given = {
        "plan": [*LOOP, f"checkpoint={evil}"],
        "evaluate": [f"data={store}", f"checkpoint={evil}", "device=cpu"],
        "train": [f"data={store}", f"init={evil}", *TINY[3:], "learning.steps=1"],
    }[command]
    with watched() as seen:
        if command == "train" and change == "environment":  # which says where the data of the first training were from
            main_of(command)([*given, f"run_dir={tmp_path / 'out'}"])
        else:
            refused(capsys, main_of(command), [*given, f"run_dir={tmp_path / 'out'}"])
    expect_untouched(seen, trap)


STORES = [("env",), ("description", "id"), ("description", "config", "id")]


@pytest.mark.parametrize(
    ("command", "keys"), [("evaluate", STORES[0]), *((name, keys) for name in ("train", "data") for keys in STORES)]
)
def test_a_store_names_nothing_that_is_imported(command, keys, store, run, trap, tmp_path, capsys):
    evil = copied(store, tmp_path / "evil", "meta.json", named(*keys))
    given = {
        "train": [f"data={evil}", *TINY, "learning.steps=1", f"run_dir={tmp_path / 'out'}"],
        "evaluate": [f"data={evil}", f"checkpoint={run}/checkpoint", "device=cpu", f"run_dir={tmp_path / 'out'}"],
        "speed": ["models=[videoflow]", "image_size=16", "rows=1", "steps=1", "repeats=1", "device=cpu"],
        "data": ["verify", f"data={evil}"],
    }[command]
    with watched() as seen:
        if command == "evaluate":
            refused(capsys, main_of(command), given)
        else:
            main_of(command)(given)
    expect_untouched(seen, trap)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("form", ["pickle", "torch"])
def test_a_state_that_is_a_pickle_is_refused(form, store, run, trap, tmp_path, capsys):
    evil = shutil.copytree(run, tmp_path / "run", symlinks=True)
    for path in (evil / "checkpoints").iterdir():
        state = path / "state.pt"
        if form == "pickle":
            state.write_bytes(pickle.dumps(Sprung()))
        else:
            torch.save({"steps_done": Sprung()}, state)
        vouched_for(path)
    with watched() as seen:
        message = refused(capsys, main_of("train"), [f"data={store}", f"run_dir={evil}", *TINY])
    assert "cannot load training state" in message
    expect_untouched(seen, trap)


def test_a_compressed_state_is_refused_before_memory_is_taken(store, run, tmp_path, capsys):
    evil = shutil.copytree(run, tmp_path / "run", symlinks=True)
    for path in (evil / "checkpoints").iterdir():
        torch.save({"steps_done": torch.zeros(1_000_000)}, path / "whole.pt")
        with (
            zipfile.ZipFile(path / "whole.pt") as whole,
            zipfile.ZipFile(path / "state.pt", "w", zipfile.ZIP_DEFLATED) as small,
        ):
            for member in whole.infolist():
                small.writestr(member.filename, whole.read(member.filename))
        (path / "whole.pt").unlink()
        vouched_for(path)
    message = refused(capsys, main_of("train"), [f"data={store}", f"run_dir={evil}", *TINY])
    assert "cannot load training state" in message and "compressed" in message


def vouched_for(path):
    """Let the manifest of a checkpoint say what its files are now."""
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["files"] = {name: file_sha256(path / name) for name in manifest["files"]}
    (path / "manifest.json").write_text(json.dumps(manifest))


def test_no_code_unpickles_or_imports_by_name():
    """Of all that could, what the sources have: `torch.load` of weights alone, and imports of names in the code."""
    root = Path(__file__).resolve().parents[2]
    words = [
        "pickle",
        "eval(",
        "exec(",
        "__import__",
        "allow_pickle=True",
        "weights_only=False",
        "os.system",
        "yaml.load",
    ]
    given = [
        "git",
        "grep",
        "-nFw",
        *(part for word in words for part in ("-e", word)),
        "--",
        "vfplan",
        "envs",
        "planners",
    ]
    found = subprocess.run(given, cwd=root, capture_output=True, text=True).stdout.splitlines()
    allowed = ("allow_pickle=False", ".eval()", "must pickle", "def eval(", "weights_only=True")
    assert [line for line in found if not any(word in line for word in allowed)] == []
