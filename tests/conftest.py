"""Settings of every test; and what one command leaves for the next: a store, and the run that was trained on it."""

import pytest
import torch

from tests.commands.tiny import TINY
from vfplan.collect import main as collect
from vfplan.train import main as train

# Tests run beside each other and beside other work: threads that wait for one another then cost more than they give.
torch.set_num_threads(1)


# No test changes these.
@pytest.fixture(scope="session")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "push"
    collect(["env=push", "episodes=8", f"out={folder}", "workers=1", f"run_dir={folder.parent / 'record'}"])
    return folder


@pytest.fixture(scope="session")
def second_store(tmp_path_factory):
    """Of the same scene, with episodes of another length."""
    folder = tmp_path_factory.mktemp("data") / "more"
    given = ["env=push", "env.length=20", "episodes=5", "seed=1", f"out={folder}", "workers=1"]
    collect([*given, f"run_dir={folder.parent / 'record'}"])
    return folder


@pytest.fixture(scope="session")
def run(store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "push"
    train([f"data={store}", f"run_dir={folder}", *TINY])
    return folder
