"""`vfplan.data import`: a killed one goes on, and a file that crashes its library is one line."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.data.formats import files
from tests.refusal import refused
from vfplan.data.__main__ import main
from vfplan.data.store import EpisodeStore

pytest.importorskip("h5py", reason="pip install 'vfplan[hdf5]'")

CRASH = """
import os
from vfplan.data.formats import robonet
def read(*arguments):
    os.abort()
robonet.read = read
"""


def importing(tmp_path, *more):
    given = ["import", "format=robonet", f"source={tmp_path / 'a'}", f"out={tmp_path / 'store'}", "workers=1"]
    return [*given, "shard_episodes=1", *more]


def test_a_killed_import_goes_on(tmp_path):
    """Killed when its second shard is there; the first shards are then not written again."""
    files.robonet(tmp_path / "a", lengths=[4] * 40)
    process = subprocess.Popen([sys.executable, "-m", "vfplan.data", *importing(tmp_path)], stderr=subprocess.DEVNULL)
    while not list(tmp_path.glob(".partial-store-*/shard-00001")):
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "store").exists()
    (partial,) = tmp_path.glob(".partial-*")
    before = (partial / "shard-00000" / "frames.npy").stat().st_mtime_ns
    main(importing(tmp_path))
    store = EpisodeStore.open(tmp_path / "store")
    assert (store.path / "shard-00000" / "frames.npy").stat().st_mtime_ns == before
    assert len(store) == 40 and (store.episode(39).frames == files.frames(39, 5)).all()
    store.verify()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "store"]


def test_a_crash_of_the_library_is_one_line(tmp_path, capsys, monkeypatch):
    files.robonet(tmp_path / "a")
    (tmp_path / "crash").mkdir()
    (tmp_path / "crash" / "sitecustomize.py").write_text(CRASH)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "crash"), *sys.path]))
    message = refused(capsys, main, importing(tmp_path))
    assert "crashes what reads robonet: it is damaged" in message and "exit code -6" in message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "crash"]


def test_what_is_there_is_not_replaced(tmp_path, capsys):
    files.robonet(tmp_path / "a")
    (tmp_path / "store").mkdir()
    assert refused(capsys, main, importing(tmp_path)) == f"{tmp_path / 'store'} exists; choose another out="


def test_other_formats_are_named(tmp_path, capsys):
    message = refused(capsys, main, ["import", "format=swn", "source=a"])
    assert message == "unknown format 'swn'; did you mean 'swm'? (valid: robomimic, robonet, swm)"
    message = refused(capsys, main, ["import", "format=lerobot", "source=a"])
    assert "(valid: robomimic, robonet, swm)" in message


def test_training_takes_what_was_imported(tmp_path):
    from tests.commands.tiny import TINY
    from vfplan.train import main as train

    files.robonet(tmp_path / "a", lengths=[10] * 6, size=(24, 32))
    main(importing(tmp_path, "image_size=16"))
    train([f"data={tmp_path / 'store'}", f"run_dir={tmp_path / 'run'}", *TINY, "learning.steps=2"])
    assert (tmp_path / "run" / "checkpoint" / "model.safetensors").is_file()
