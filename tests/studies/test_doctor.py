"""vfplan.doctor says what is wrong where it is run, and what to do about it."""

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch

from vfplan.doctor import main as doctor
from vfplan.models.checkpoint import load_checkpoint
from vfplan.studies.doctor import installed, machine

ROOT = Path(__file__).parents[2]


@pytest.fixture
def findings(capsys):
    """What is printed, and whether the command ended with code 1."""

    def run(*arguments):
        code = 0
        try:
            doctor(list(arguments))
        except SystemExit as ended:
            code = ended.code
        return code, capsys.readouterr().out

    return run


@pytest.fixture(autouse=True)
def as_many_threads_as_cores(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


def test_where_all_is_well_it_says_so(findings):
    code, printed = findings("device=cpu")
    assert code == 0 and "all is well\nnext: python -m vfplan.plan env=push" in printed and "!!" not in printed
    for subject in ("python", "packages", "cores", "disk", "device", "drawing", "planning", "likelihood"):
        assert f"ok  {subject:<10} " in printed


def test_another_frame_than_the_stored_one_is_wrong(findings, monkeypatch):
    drawn = np.zeros((64, 64, 3), np.uint8)
    monkeypatch.setattr("envs.push.PushEnv.reset", lambda self, **given: ({"image": drawn, "hand": np.zeros(3)}, {}))
    code, printed = findings("device=cpu")
    assert code == 1 and "!!  drawing" in printed and "    drawing: its frame was made with ray-1, mujoco" in printed


def test_weights_that_expect_something_else_are_wrong(findings, monkeypatch):
    def worse(*given):
        checkpoint = load_checkpoint(*given)
        with torch.no_grad():
            for parameter in checkpoint.model.parameters():
                parameter += 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0))
        return checkpoint

    monkeypatch.setattr("vfplan.control.fit.load_checkpoint", worse)
    code, printed = findings("device=cpu")
    assert code == 1 and "!!  likelihood" in printed and "expected less than 1" in printed


def test_a_device_that_is_not_there_is_wrong_and_not_tried(findings, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    code, printed = findings("device=cuda")
    assert code == 1 and "!!  device" in printed and "    device: device=cpu, or a driver" in printed
    assert "planning" not in printed


def test_a_package_outside_of_its_range_is_wrong(monkeypatch):
    versions = {"mujoco": "4.0.0", "tqdm": None}

    def version(name):
        if name in versions and versions[name] is None:
            raise metadata.PackageNotFoundError(name)
        return versions.get(name) or metadata.version(name)

    monkeypatch.setattr(installed, "version", version)
    found = {finding.subject: finding for finding in installed.packages()}
    assert set(found) == {"mujoco", "tqdm"}
    assert found["mujoco"].found.startswith("4.0.0, but vfplan needs ") and "pip install 'mujoco" in found["mujoco"].fix
    assert found["tqdm"].found.startswith("not installed, but vfplan needs ")


def test_a_folder_that_cannot_be_written_is_wrong(monkeypatch):
    def refuse(**given):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(machine.tempfile, "TemporaryFile", refuse)
    assert machine.disk().fix == "go to a folder that can be written to"


def test_too_little_memory_or_disk_is_wrong(monkeypatch):
    monkeypatch.setattr(machine, "LEAST_MEMORY", 2**60)
    monkeypatch.setattr(machine, "LEAST_DISK", 2**60)
    assert machine.memory().fix.startswith("close what else runs") and machine.disk().fix.startswith("make room")


def test_an_opengl_that_does_not_load_is_said():
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MUJOCO_GL": "nonsense"}
    called = [sys.executable, "-m", "vfplan.doctor", "device=cpu"]
    done = subprocess.run(called, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "MUJOCO_GL=nonsense names an OpenGL that does not load: unset it" in done.stdout


def test_idle_cores_are_wrong(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert machine.cores().fix == "unset OMP_NUM_THREADS: 1 of 8 cores are used"
