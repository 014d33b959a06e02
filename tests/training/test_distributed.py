"""Training on several processes: the same sums, hence the same model."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch

from vfplan.training.distributed import Processes, local_device

TINY = [
    "model.past_frames=1", "model.flow_width=4", "model.condition_dim=4", "model.dequantisation_width=4",
    "model.priors=[{widths:[4],blocks:[1],elements:copy,components:1},{widths:[4],blocks:[1],elements:copy,components:2}]",
    "learning.batch=[4,8]", "learning.history_noise=[0.0,0.01]", "learning.steps=6", "learning.imagined_steps=1",
    "learning.micro_batches=2", "validation_episodes=2", "log_every=2", "threads=1", "device=cpu",
]  # fmt: skip
TORCHRUN = ["torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m"]


def attempt(*arguments, cwd):
    root = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": root}
    return subprocess.run([sys.executable, "-m", *arguments], cwd=cwd, env=environment, capture_output=True, text=True)


def run(*arguments, cwd):
    done = attempt(*arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("distributed")
    run("vfplan.generate", "source=slip", "source.image_size=20", "episodes=12", "workers=1", "out=slip", cwd=path)
    return path


def weights(folder, name):
    return safetensors.torch.load_file(folder / name / "checkpoint" / "model.safetensors")


def test_two_processes_train_the_model_that_one_trains(folder):
    train = ["vfplan.train", "data=slip", *TINY]
    run(*train, "run_dir=one", cwd=folder)
    printed = run(*TORCHRUN, *train, "run_dir=two", cwd=folder)
    assert printed.count("parameters on cpu") == 1  # only the first process speaks
    one, two = weights(folder, "one"), weights(folder, "two")
    for name, value in one.items():
        # The sums over parts are added in another order.
        assert torch.allclose(two[name], value, atol=1e-6), name


def test_processes_need_a_part_of_the_batch_each(folder):
    arguments = ["data=slip", *TINY, "learning.micro_batches=1", "run_dir=none"]
    done = attempt(*TORCHRUN, "vfplan.train", *arguments, cwd=folder)
    assert done.returncode != 0
    assert "2 processes need as many micro_batches, or a multiple; got 1" in done.stderr
    assert not (folder / "none").exists()


def test_alone_nothing_is_summed_or_waited_for():
    alone, tensor = Processes(), torch.ones(3)
    alone.add([tensor])
    assert torch.equal(tensor, torch.ones(3))
    assert alone.any(True, torch.device("cpu")) and not alone.any(False, torch.device("cpu"))


def test_every_process_takes_the_gpu_of_its_rank(monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert local_device(torch.device("cuda")) == torch.device("cuda", 3)
    assert local_device(torch.device("cuda", 1)) == torch.device("cuda", 1)
    assert local_device(torch.device("cpu")) == torch.device("cpu")
