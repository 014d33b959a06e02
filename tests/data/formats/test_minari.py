"""What is exported for Minari is read back by minari, to the last bit."""

import h5py
import numpy as np
import pytest

from tests.data.formats import stores
from vfplan.data import formats
from vfplan.data.__main__ import main
from vfplan.data.formats.base import WriteConfig
from vfplan.errors import UserError

minari = pytest.importorskip("minari", reason="pip install 'vfplan[minari]'")


@pytest.fixture
def store(tmp_path):
    return stores.store(tmp_path / "store")


def test_minari_reads_every_episode(store, tmp_path, monkeypatch, capsys):
    main(["export", f"data={store.path}", "format=minari", f"out={tmp_path / 'push-v0'}"])
    assert "minari.load_dataset('push-v0')" in capsys.readouterr().out
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    data = minari.load_dataset("push-v0")
    assert (data.total_episodes, data.total_steps, data.spec.dataset_id) == (8, sum(stores.UNEVEN), "push-v0")
    for index, read in enumerate(data.iterate_episodes()):
        wrote = store.episode(index)
        for name, values in {"image": wrote.frames, "hand": wrote.hand, "object_xy": wrote.object_xy}.items():
            assert read.observations[name].dtype == values.dtype
            np.testing.assert_array_equal(read.observations[name], values)
        np.testing.assert_array_equal(read.actions, wrote.actions)
        assert read.truncations.tolist() == [False] * (len(wrote) - 1) + [True]
        assert not read.terminations.any() and not read.rewards.any()
        first = {name: values[0] for name, values in read.observations.items()}
        assert data.observation_space.contains(first) and data.action_space.contains(read.actions[0])


def test_its_metadata_are_those_that_minari_writes(store, tmp_path, monkeypatch):
    import gymnasium
    from minari.data_collector import EpisodeBuffer

    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    formats.write("minari", store, tmp_path / "push-v0", WriteConfig())
    box, infinity = gymnasium.spaces.Box, np.inf
    one = store.episode(0)
    seen = {"image": one.frames, "hand": one.hand, "object_xy": one.object_xy}
    spaces = gymnasium.spaces.Dict(
        image=box(0, 255, (16, 16, 3), np.uint8), hand=box(-infinity, infinity, (3,)),
        object_xy=box(-infinity, infinity, (2, 2)),
    )  # fmt: skip
    ends = [False] * len(one)
    buffer = EpisodeBuffer(id=0, observations=seen, actions=one.actions, rewards=[0.0] * len(one), terminations=ends,
                           truncations=ends, infos=None)  # fmt: skip
    minari.create_dataset_from_buffers("own-v0", [buffer], observation_space=spaces, action_space=box(-1, 1, (4,)),
                                       jpeg_encoding=False)  # fmt: skip
    ours, theirs = (minari.load_dataset(name).storage.metadata for name in ("push-v0", "own-v0"))
    assert set(theirs) - set(ours) <= {"author", "author_email", "code_permalink"}
    assert ours["jpeg_encoding"] is theirs["jpeg_encoding"] is False
    assert minari.load_dataset("push-v0").observation_space == minari.load_dataset("own-v0").observation_space
    assert minari.load_dataset("push-v0").action_space == minari.load_dataset("own-v0").action_space
    with (
        h5py.File(tmp_path / "push-v0/data/main_data.hdf5") as a,
        h5py.File(tmp_path / "own-v0/data/main_data.hdf5") as b,
    ):
        assert set(a["episode_0"]) == set(b["episode_0"])


def test_a_name_that_minari_does_not_take_is_refused(store, tmp_path):
    with pytest.raises(UserError, match="Minari names data sets NAME-vVERSION"):
        formats.write("minari", store, tmp_path / "push", WriteConfig())
    assert not (tmp_path / "push").exists()
