import numpy as np
import pytest

from vfplan.data.episode import Episode
from vfplan.data.records import StoreMeta
from vfplan.data.writing import prepare_store, write_manifest, write_shard

LENGTH = 6


def make_episode(index):
    """An episode whose every value tells its index and step."""
    steps = np.arange(LENGTH + 1)
    frames = np.broadcast_to((10 * index + steps)[:, None, None, None], (LENGTH + 1, 12, 12, 3)).astype(np.uint8)
    frames = frames + np.array([0, 100, 200], np.uint8)
    return Episode(
        frames=frames,
        actions=np.repeat((index + steps[:-1] / 10)[:, None], 4, axis=1).astype(np.float32),
        hand=np.full((LENGTH + 1, 3), index, np.float32),
        object_xy=np.full((LENGTH + 1, 2, 2), index, np.float32),
        policy="odd" if index % 2 else "even",
    )


def make_meta(**changes):
    values = {
        "version": 1, "env": "push", "episodes": 8, "shard_episodes": 3, "length": LENGTH, "seed": 0, "policy": "mixed",
        "description": {"image_size": (12, 12), "camera": {"fov": 45.0}, "mjcf": "<mujoco>\n</mujoco>"}, "versions": {},
    }  # fmt: skip
    return StoreMeta(**{**values, **changes})


def collect(path, meta, *, shards=None):
    """Write the missing shards (or those given), as a collection would; returns the shards written."""
    finished = prepare_store(path, meta)
    done = {record.shard for record in finished}
    wanted = [shard for shard in (range(meta.num_shards) if shards is None else shards) if shard not in done]
    for shard in wanted:
        episodes = meta.shard_range(shard)
        finished.append(write_shard(path, shard, episodes.start, map(make_episode, episodes)))
    write_manifest(path, finished)
    return wanted


@pytest.fixture
def folder(tmp_path):
    collect(tmp_path / "store", make_meta())
    return tmp_path / "store"
