"""Signals to real trainings, ranks that die: the same command goes on to the bytes of an undisturbed run."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.faults import small
from vfplan.models.checkpoint import load_checkpoint
from vfplan.output.folder import TEMPORARY_PREFIX, file_sha256
from vfplan.train import main as train
from vfplan.training.resuming import STATE

PATIENCE = 120
ROOT = Path(__file__).resolve().parents[2]

# Sends signals to itself when the folder of a step is renamed to what it is to be called: in the middle of a save.
IN_A_SAVE = """
import os, signal, sys
signals, step = sys.argv[1].split("+"), sys.argv[2]
def watch(event, arguments):
    if event == "os.rename" and str(arguments[1]).endswith(step):
        for name in signals:
            os.kill(os.getpid(), getattr(signal, name))
sys.addaudithook(watch)
from vfplan.train import main
main(sys.argv[3:])
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return small.store(tmp_path_factory.mktemp("data") / "slip")


@pytest.fixture(scope="module")
def weights(data, tmp_path_factory):
    """The hash of the weights of a run of 60 steps that nobody disturbs."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    train(arguments(data, folder))
    return file_sha256(folder / "checkpoint" / "model.safetensors")


def arguments(data, folder):
    return small.training(data, folder, "learning.steps=60", "save_every=1000")


def started(*words):
    return subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"}, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip


def steps(folder):
    rows = folder / "metrics.jsonl"
    return rows.read_text().count("bits_per_dim") if rows.exists() else 0


def wait_for(condition, process):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.005)


def of_one_step(folder):
    """The step of which state and weights are."""
    saved = load_checkpoint(folder / "checkpoint").training["steps"]
    assert torch.load(folder / "checkpoint" / STATE, weights_only=True)["steps_done"] == saved
    return saved


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_a_signal_saves_within_a_step_and_loses_nothing(data, weights, tmp_path, name, code):
    folder = tmp_path / "run"
    process = started("-m", "vfplan.train", *arguments(data, folder))
    wait_for(lambda: steps(folder) >= 10, process)
    os.kill(process.pid, getattr(signal, name))
    output = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == code and "Traceback" not in output, output
    assert of_one_step(folder) >= steps(folder)
    train(arguments(data, folder))
    assert file_sha256(folder / "checkpoint" / "model.safetensors") == weights


@pytest.mark.parametrize(("names", "code"), [("SIGUSR1", 143), ("SIGTERM+SIGTERM", 143)])
def test_a_signal_in_a_save_lets_it_end(data, weights, tmp_path, names, code):
    folder = tmp_path / "run"
    process = started("-c", IN_A_SAVE, names, "step-20", *arguments(data, folder), "save_every=20")
    output = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == code and "Traceback" not in output, output
    assert of_one_step(folder) == 20
    train([*arguments(data, folder), "save_every=1000"])
    assert file_sha256(folder / "checkpoint" / "model.safetensors") == weights


def test_a_second_ctrl_c_ends_at_once(data, weights, tmp_path):
    folder = tmp_path / "run"
    process = started("-c", IN_A_SAVE, "SIGINT+SIGINT", "step-40", *arguments(data, folder), "save_every=20")
    output = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 130 and output.splitlines()[-1] == "stopped"
    assert of_one_step(folder) in (20, 40)
    train([*arguments(data, folder), "save_every=1000"])
    assert file_sha256(folder / "checkpoint" / "model.safetensors") == weights
    assert not list(folder.rglob(f"{TEMPORARY_PREFIX}*"))


@pytest.mark.parametrize("killed", [0, 1])
def test_a_dead_rank_ends_the_other_and_the_run_goes_on(data, tmp_path, killed):
    folder = tmp_path / "run"
    given = small.training(data, folder, "learning.steps=40", "save_every=10", "learning.micro_batches=2")
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "vfplan.train"]
    process = started(*launch, *given)
    try:
        wait_for(lambda: (folder / "checkpoint").exists() and len(ranks(process.pid)) == 2, process)
        os.kill(ranks(process.pid)[killed], signal.SIGKILL)
        process.communicate(timeout=60)
        assert process.returncode != 0
        assert of_one_step(folder) >= 10
    finally:
        process.kill()
        process.wait()
    again = started(*launch, *given)
    output = again.communicate(timeout=PATIENCE)[0]
    assert again.returncode == 0 and "at step" in output, output
    assert of_one_step(folder) == 40


def ranks(launcher):
    """The processes of a launcher, by rank."""
    found = {}
    for child in Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split():
        for entry in Path(f"/proc/{child}/environ").read_text().split("\0"):
            if entry.startswith("RANK="):
                found[int(entry.removeprefix("RANK="))] = int(child)
    return [found[rank] for rank in sorted(found)]


def test_a_clock_that_runs_backwards_harms_nothing(data, weights, tmp_path, monkeypatch):
    """No decision depends on the date: neither which checkpoint is the newest nor what is written."""
    folder, dates = tmp_path / "run", iter(range(2_000_000_000, 0, -86_400))
    monkeypatch.setattr(time, "time", lambda: float(next(dates)))
    train([*arguments(data, folder), "learning.steps=30", "save_every=10"])
    for age, path in enumerate(sorted((folder / "checkpoints").iterdir())):
        os.utime(path, (1e9 - age, 1e9 - age))
    config = json.loads((folder / "config.json").read_text())
    assert config["learning"]["steps"] == 30 and of_one_step(folder) == 30
