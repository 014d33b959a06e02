import dataclasses
import json
import shutil

import numpy as np
import pytest

from tests.data.conftest import LENGTH, collect, make_episode, make_meta
from vfplan.data.episode import Episode
from vfplan.data.store import EpisodeStore, split_episodes
from vfplan.data.windows import WindowSampler
from vfplan.data.writing import prepare_store, write_manifest, write_shard
from vfplan.errors import UserError


def refused(path, message):
    with pytest.raises(UserError, match=message) as error:
        EpisodeStore.open(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)


def test_every_episode_comes_back(folder):
    store = EpisodeStore.open(folder)
    assert len(store) == 8
    assert [len(record.policies) for record in store.records] == [3, 3, 2]
    for index in range(8):
        stored, made = store.episode(index), make_episode(index)
        for field in dataclasses.fields(Episode):
            np.testing.assert_array_equal(getattr(stored, field.name), getattr(made, field.name))
    store.verify()
    with pytest.raises(IndexError):
        store.episode(8)


def test_an_episode_may_lack_actions_hand_and_objects(tmp_path):
    steps = LENGTH + 1
    lacking = {"actions": (LENGTH, 0), "hand": (steps, 0), "object_xy": (steps, 0, 2)}
    empty = {name: np.zeros(shape, np.float32) for name, shape in lacking.items()}
    meta = make_meta(episodes=2)
    prepare_store(tmp_path, meta)
    made = [dataclasses.replace(make_episode(index), **empty) for index in range(2)]
    write_manifest(tmp_path, [write_shard(tmp_path, 0, 0, made)])
    store = EpisodeStore.open(tmp_path)
    store.verify()
    assert store.action_dim == 0
    assert {name: getattr(store.episode(1), name).shape for name in lacking} == lacking
    frames, actions, _ = WindowSampler(store, 3, seed=0).batch(0, 5)
    assert (frames.shape, actions.shape) == ((5, 3, 3, 12, 12), (5, 2, 0))


def test_episodes_are_read_only_views_of_the_files(folder):
    frames = EpisodeStore.open(folder).episode(4).frames
    assert isinstance(frames, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        frames[0] = 0


def test_the_digest_tells_stores_apart(folder, tmp_path):
    collect(tmp_path / "same", make_meta())
    collect(tmp_path / "fewer", make_meta(episodes=7))
    digest = EpisodeStore.open(folder).digest
    assert digest == EpisodeStore.open(tmp_path / "same").digest
    assert digest != EpisodeStore.open(tmp_path / "fewer").digest


def test_a_missing_an_empty_and_a_foreign_folder_are_told_apart(tmp_path):
    refused(tmp_path / "none", "no folder .*; make a store with: python -m vfplan.collect out=")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "is empty; make a store")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "notes.txt").touch()
    refused(tmp_path / "foreign", "holds no meta.json")


def test_another_version_is_refused(folder):
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps({**meta, "version": 2}))
    refused(folder, "reads episode stores of version 1, found 2")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1}', '{"version": 1, "_target_": "os.system"}'])
def test_a_damaged_meta_is_refused(folder, text):
    (folder / "meta.json").write_text(text)
    refused(folder, "meta.json")


def test_an_unfinished_store_is_refused(tmp_path):
    collect(tmp_path / "part", make_meta(), shards=[0, 2])
    refused(tmp_path / "part", "unfinished: 5 of 8 episodes; run the command that makes it again")


@pytest.mark.parametrize("name", ["frames", "actions", "hand", "object_xy"])
def test_a_missing_and_a_cut_file_are_refused(folder, name):
    file = folder / "shard-00001" / f"{name}.npy"
    whole = file.read_bytes()
    for size in (0, 5, 60, len(whole) // 2 + 60, len(whole) - 1):
        file.write_bytes(whole[:size])
        refused(folder, f"{name}.npy is damaged")
    file.unlink()
    refused(folder, f"{name}.npy is missing")


def test_a_flipped_bit_is_found_by_verify(folder):
    file = folder / "shard-00002" / "frames.npy"
    data = bytearray(file.read_bytes())
    data[-7] ^= 1
    file.write_bytes(data)
    with pytest.raises(UserError, match=r"shard-00002/frames.npy is damaged.*episodes 6 to 7"):
        EpisodeStore.open(folder).verify()


def test_a_link_out_of_the_store_is_one_warning(folder, tmp_path, capsys):
    EpisodeStore.open(folder)
    assert capsys.readouterr().err == ""
    (folder / "shard-00001").rename(tmp_path / "elsewhere")
    (folder / "shard-00001").symlink_to(tmp_path / "elsewhere")
    EpisodeStore.open(folder)
    warning = f"warning: {folder / 'shard-00001'} leads out of {folder}, to {tmp_path / 'elsewhere'}\n"
    assert capsys.readouterr().err == warning


def test_a_pickled_array_is_never_loaded(folder):
    np.save(folder / "shard-00000" / "hand.npy", np.array([{}], dtype=object), allow_pickle=True)
    refused(folder, "hand.npy is damaged")


@pytest.mark.parametrize("wrong", [np.zeros((3, 7, 12, 12, 3), np.float32), np.zeros((2, 7, 12, 12, 3), np.uint8)])
def test_an_array_of_another_type_or_size_is_refused(folder, wrong):
    np.save(folder / "shard-00000" / "frames.npy", wrong)
    refused(folder, "frames.npy holds")


@pytest.mark.parametrize("change", [{"first": 4}, {"count": 9}, {"shard": 0}, {"policies": ["even"]}, {"sha256": {}}])
def test_a_manifest_that_does_not_fit_is_refused(folder, change):
    lines = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    lines[1].update(change)
    (folder / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    refused(folder, "manifest.jsonl")


def test_a_collection_goes_on_where_it_was(tmp_path, folder):
    part = tmp_path / "part"
    assert collect(part, make_meta(), shards=[1]) == [1]
    (part / ".tmp-shard-00002-0badc0de").mkdir()
    shutil.copytree(folder / "shard-00000", part / "shard-00000")  # published, but never listed
    assert collect(part, make_meta()) == [2]
    assert EpisodeStore.open(part).digest == EpisodeStore.open(folder).digest
    assert not list(part.glob(".tmp-*"))
    assert collect(part, make_meta()) == []


def test_a_lost_shard_is_made_anew(folder):
    digest = EpisodeStore.open(folder).digest
    shutil.rmtree(folder / "shard-00001")
    assert collect(folder, make_meta()) == [1]
    assert EpisodeStore.open(folder).digest == digest


def test_a_store_can_grow(tmp_path, folder):
    collect(tmp_path / "large", make_meta(episodes=11))
    assert collect(folder, make_meta(episodes=11)) == [2, 3]
    assert EpisodeStore.open(folder).digest == EpisodeStore.open(tmp_path / "large").digest


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 1}, "collected with seed=0, not 1"),
        ({"episodes": 7}, "has episodes=8, more than 7"),
        ({"policy": "noise"}, "collected with policy=mixed, not noise"),
        ({"versions": {"mujoco": "4"}}, "collected with versions.mujoco=None, not 4"),
        ({"description": {"camera": {"fov": 50}}}, "collected with description"),
    ],
)
def test_a_store_with_other_settings_is_not_touched(folder, changes, message):
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match=message):
        collect(folder, make_meta(**changes))
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_foreign_folder_is_not_touched(tmp_path):
    (tmp_path / "precious.txt").write_text("x")
    with pytest.raises(UserError, match="is no episode store"):
        collect(tmp_path, make_meta())
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]


def test_episodes_are_split_at_the_end():
    assert split_episodes(10, 0.2) == (range(8), range(8, 10))
    assert split_episodes(10, 3) == (range(7), range(7, 10))
    for validation in (0, 0.01, 10, 1.0 * 11):
        with pytest.raises(UserError, match="leaves one side of the split empty"):
            split_episodes(10, validation)


def test_an_episode_checks_its_arrays():
    episode = make_episode(0)
    with pytest.raises(ValueError, match="frames must be uint8, got float64"):
        dataclasses.replace(episode, frames=episode.frames / 2)
    with pytest.raises(ValueError, match="hand must have 7 steps for 6 actions, got 6"):
        dataclasses.replace(episode, hand=episode.hand[1:])


@pytest.mark.parametrize("shape", [(3, 7, 12, 10, 3), (3, 7, 12, 12, 4), (3, 7, 12, 12)])
def test_frames_are_square_and_of_three_colours(folder, shape):
    np.save(folder / "shard-00000" / "frames.npy", np.zeros(shape, np.uint8))
    with pytest.raises(UserError, match="expected square, of 3 colours"):
        EpisodeStore.open(folder)


def test_bytes_after_an_array_are_noticed(folder):
    with (folder / "shard-00000" / "actions.npy").open("ab") as file:
        file.write(b"more")
    with pytest.raises(UserError, match="4 bytes too many"):
        EpisodeStore.open(folder)


@pytest.mark.parametrize(
    "header", [b"{'descr': 1" + b"e" * 40, b"{'descr': '<f4', 'shape': (9" + b"9" * 400 + b",)}", b"("]
)
def test_a_header_that_is_none_is_one_line(folder, header):
    file = folder / "shard-00000" / "frames.npy"
    file.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + file.read_bytes()[128:])
    with pytest.raises(UserError, match=r"frames\.npy is damaged") as caught:
        EpisodeStore.open(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("key", "value"), [("shard_episodes", 0), ("episodes", -3), ("length", 10**30), ("seed", -1)])
def test_sizes_that_cannot_be_are_refused(folder, key, value):
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps({**meta, key: value}))
    with pytest.raises(UserError, match=f"{key} must be between"):
        EpisodeStore.open(folder)
