"""Stores to export: random numbers, so that nothing is equal by chance."""

import numpy as np

from tests.data.conftest import LENGTH, make_meta
from vfplan.data.episode import Episode
from vfplan.data.records import read_manifest
from vfplan.data.store import EpisodeStore
from vfplan.data.writing import prepare_store, write_manifest, write_shard

UNEVEN = [6, 3, 1, 6, 2, 5, 4, 6]


def episode(index, length, *, acting=4, hand=3, objects=2, size=16):
    rng, steps = np.random.default_rng(index), length + 1
    return Episode(
        frames=rng.integers(256, size=(steps, size, size, 3), dtype=np.uint8),
        actions=rng.uniform(-1, 1, (length, acting)).astype(np.float32),
        hand=rng.normal(size=(steps, hand)).astype(np.float32),
        object_xy=rng.normal(size=(steps, objects, 2)).astype(np.float32),
        policy="odd" if index % 2 else "even",
    )


def store(path, lengths=UNEVEN, first=0, meta=None, **parts):
    """Write a store of three episodes a shard; its episodes are those of a number from `first` on."""
    meta, records = meta or make_meta(episodes=len(lengths), description={"image_size": 16}), []
    prepare_store(path, meta)
    for shard in range(meta.num_shards):
        numbers = meta.shard_range(shard)
        made = [episode(first + index, lengths[index], **parts) for index in numbers]
        records.append(write_shard(path, shard, numbers.start, made, LENGTH))
    write_manifest(path, records)
    return EpisodeStore.open(path)


def damage(path, shard=1):
    """Change a byte of the frames of a shard."""
    file = path / f"shard-{shard:05d}" / "frames.npy"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


def equal(one, other):
    """Whether two episodes are the same to the last bit."""
    arrays = ("frames", "actions", "hand", "object_xy")
    pairs = [(getattr(one, name), getattr(other, name)) for name in arrays]
    same = all(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes() for a, b in pairs)
    return same and one.policy == other.policy


def records_of(path):
    store = EpisodeStore.open(path)
    return read_manifest(path, store.meta)
