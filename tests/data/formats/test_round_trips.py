"""A store that went through another project's file and back is the same to the last bit."""

import subprocess
import sys

import pytest

from tests.data.formats import stores
from vfplan.data import formats
from vfplan.data.__main__ import main
from vfplan.data.formats.base import ReadConfig, WriteConfig
from vfplan.data.store import EpisodeStore
from vfplan.errors import UserError

pytest.importorskip("h5py", reason="pip install 'vfplan[hdf5]'")

BOTH = [name for name, each in formats.FORMATS.items() if each.reads and each.writes]
KINDS = {
    "all": {},
    "no hand": {"hand": 0},
    "no objects": {"objects": 0},
    "nothing but frames": {"hand": 0, "objects": 0, "acting": 0},
}


def test_there_are_two_formats_both_ways():
    assert BOTH == ["swm", "robomimic"]


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("parts", KINDS.values(), ids=KINDS)
def test_every_episode_comes_back(name, parts, tmp_path):
    store = stores.store(tmp_path / "store", **parts)
    formats.write(name, store, tmp_path / "file", WriteConfig())
    source = formats.read(name, tmp_path / "file", ReadConfig())
    assert list(source.lengths) == stores.UNEVEN
    back = source.episodes(range(len(store)))
    assert all(stores.equal(one, store.episode(i)) for i, one in enumerate(back))
    assert stores.equal(next(source.episodes(range(5, 6))), store.episode(5))


@pytest.mark.parametrize("name", BOTH)
def test_the_commands_give_back_the_store(name, tmp_path, capsys):
    store = stores.store(tmp_path / "store")
    main(["export", f"data={tmp_path / 'store'}", f"format={name}", f"out={tmp_path / 'file'}"])
    wrote = capsys.readouterr().out
    assert f"wrote {tmp_path / 'file'}: 8 episodes" in wrote and "exactly as stored" in wrote and "next: " in wrote
    main(["import", f"format={name}", f"source={tmp_path / 'file'}", f"out={tmp_path / 'back'}", "shard_episodes=3",
          "workers=1"])  # fmt: skip
    back = EpisodeStore.open(tmp_path / "back")
    assert back.digest == store.digest
    assert {**back.meta.description, "imported": None} == {**store.meta.description, "imported": None}
    assert (back.meta.env, back.meta.seed, back.meta.policy, back.meta.length) == ("push", 0, "mixed", 6)
    assert f"next: python -m vfplan.data inspect data={tmp_path / 'back'}" in capsys.readouterr().out


FULL = """
import resource, sys
from vfplan.data.__main__ import main
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
main(sys.argv[1:])
"""


@pytest.mark.parametrize("name", ["swm", "robomimic", "minari"])
def test_a_full_disk_is_one_line_and_leaves_nothing(name, tmp_path):
    stores.store(tmp_path / "store")
    given = ["export", f"data={tmp_path / 'store'}", f"format={name}", f"out={tmp_path / 'out' / 'a-v0'}"]
    ended = subprocess.run([sys.executable, "-c", FULL, *given], capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr == f"error: cannot write to {tmp_path / 'out' / 'a-v0'}: File too large\n"
    assert list((tmp_path / "out").iterdir()) == []


def test_what_a_killed_export_left_is_removed(tmp_path):
    stores.store(tmp_path / "store")
    for name in (".tmp-a.h5-0123abcd", ".tmp-b.h5-0123abcd"):
        (tmp_path / name).touch()
    main(["export", f"data={tmp_path / 'store'}", "format=swm", f"out={tmp_path / 'a.h5'}"])
    assert sorted(path.name for path in tmp_path.iterdir()) == [".tmp-b.h5-0123abcd", "a.h5", "store"]


def test_no_library_is_loaded_before_its_format_is_asked_for():
    program = (
        "import sys, vfplan.data.__main__; print(*{'h5py', 'pyarrow', 'av', 'minari', 'torch'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "\n"


@pytest.mark.parametrize("name", [name for name, each in formats.FORMATS.items() if each.writes])
def test_a_damaged_store_is_not_exported(name, tmp_path):
    pytest.importorskip("pyarrow" if name == "lerobot" else "h5py", reason="extras")
    store = stores.store(tmp_path / "store")
    stores.damage(store.path)
    with pytest.raises(UserError, match=r"frames\.npy is damaged"):
        formats.write(name, store, tmp_path / "file-v0", WriteConfig(workers=1))
    assert not (tmp_path / "file-v0").exists()
