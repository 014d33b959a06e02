"""Several stores as one, and one as two: every episode once, nothing mixed unseen."""

import dataclasses
import json

import numpy as np
import pytest

from tests.data.conftest import make_meta
from tests.data.formats import stores
from tests.refusal import refused
from vfplan.data.__main__ import main
from vfplan.data.store import EpisodeStore
from vfplan.data.writing import command_of

ABOUT = {"image_size": 16, "renderer": "ray-1", "action_scale": 0.05}


def made(path, first, lengths=(6, 3, 5, 6), versions=(), **about):
    meta = make_meta(episodes=len(lengths), description={**ABOUT, **about}, versions=dict(versions))
    return stores.store(path, lengths, first, meta)


@pytest.fixture
def pair(tmp_path):
    return made(tmp_path / "one", 0), made(tmp_path / "two", 100)


def merging(tmp_path, *more):
    return ["merge", f"data=[{tmp_path / 'one'},{tmp_path / 'two'}]", f"out={tmp_path / 'both'}", "workers=1", *more]


def test_a_merged_store_has_every_episode_in_order(pair, tmp_path, capsys):
    main(merging(tmp_path, "shard_episodes=3"))
    both = EpisodeStore.open(tmp_path / "both")
    both.verify()
    wanted = [store.episode(index) for store in pair for index in range(4)]
    assert len(both) == 8 and all(stores.equal(both.episode(i), one) for i, one in enumerate(wanted))
    assert [each["digest"] for each in both.meta.description["merged"]] == [store.digest for store in pair]
    assert both.meta.description["renderer"] == "ray-1" and "mismatches" not in both.meta.description
    said = capsys.readouterr().out
    assert (
        f"wrote {tmp_path / 'both'}: 8 episodes" in said
        and f"next: python -m vfplan.data inspect data={both.path}" in said
    )
    assert command_of(both.path)[:4] == ["python", "-m", "vfplan.data", "merge"]


DIFFERENT = {
    "renderer": ({"renderer": "gl-1"}, "has renderer=gl-1, but"),
    "action scale": ({"action_scale": 0.1}, "has action_scale=0.1, but"),
    "versions": ({"versions": [("mujoco", "3.18.0")]}, "has mujoco=3.18.0, but"),
}


@pytest.mark.parametrize("kind", DIFFERENT)
def test_what_must_not_differ_is_refused_unless_allowed(kind, tmp_path, capsys):
    change, line = DIFFERENT[kind]
    made(tmp_path / "one", 0, versions=[("mujoco", "3.17.0")])
    made(tmp_path / "two", 100, **{"versions": [("mujoco", "3.17.0")], **change})
    with pytest.raises(SystemExit) as stopped:
        main(merging(tmp_path))
    said = capsys.readouterr()
    assert stopped.value.code == 2 and len(said.out.splitlines()) == 1 and line in said.out
    assert said.err == "error: 1 differences; allow_mismatch=true merges the stores nevertheless, and records them\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]
    main(merging(tmp_path, "allow_mismatch=true"))
    meta = EpisodeStore.open(tmp_path / "both").meta
    assert [line in mismatch for mismatch in meta.description["mismatches"]] == [True]
    assert meta.versions["mujoco"] == ("3.17.0 and 3.18.0" if kind == "versions" else "3.17.0")


def test_every_difference_has_its_line(tmp_path, capsys):
    made(tmp_path / "one", 0)
    made(tmp_path / "two", 100, renderer="gl-1", action_scale=1)
    with pytest.raises(SystemExit):
        main(merging(tmp_path))
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_other_shapes_are_never_merged(tmp_path, capsys):
    made(tmp_path / "one", 0)
    meta = make_meta(episodes=3, description=ABOUT, versions={})
    stores.store(tmp_path / "two", [6, 6, 6], 0, meta, objects=1)
    message = refused(capsys, main, merging(tmp_path, "allow_mismatch=true"))
    assert "has object_xy of shape (1, 2)" in message and not (tmp_path / "both").exists()


@pytest.mark.parametrize("given", [["merge", "data=[a]", "out=b"], ["merge", "data=[a,b]"], ["merge", "data=a"]])
def test_a_merge_needs_two_stores_and_a_place(given, capsys):
    assert refused(capsys, main, given).startswith(("data must be", "out must be"))


def test_a_damaged_store_is_not_merged(pair, tmp_path, capsys):
    stores.damage(pair[1].path)
    message = refused(capsys, main, merging(tmp_path), begun=True)
    assert "frames.npy is damaged" in message and "repair data=" in message and not (tmp_path / "both").exists()


def splitting(tmp_path, *more):
    return ["split", f"data={tmp_path / 'one'}", "workers=1", *more]


def test_a_split_holds_out_the_last_episodes(tmp_path, capsys):
    store = made(tmp_path / "one", 0, [6, 3, 5, 6, 2, 1, 6, 4])
    main(splitting(tmp_path, "held_out=0.25"))
    train, held_out = (EpisodeStore.open(f"{store.path}-{part}") for part in ("train", "held-out"))
    assert (len(train), len(held_out)) == (6, 2)
    assert all(stores.equal(train.episode(index), store.episode(index)) for index in range(6))
    assert all(stores.equal(held_out.episode(index), store.episode(6 + index)) for index in range(2))
    assert train.meta.description["split"]["of"] == store.digest
    assert capsys.readouterr().out.endswith(f"next: python -m vfplan.train data={train.path}\n")


def test_a_shuffled_split_has_every_episode_once(tmp_path):
    store = made(tmp_path / "one", 0, [6] * 9)
    main(splitting(tmp_path, "held_out=4", "shuffle=true", "seed=3", f"out={tmp_path / 'parts'}"))
    parts = [EpisodeStore.open(f"{tmp_path / 'parts'}-{part}") for part in ("train", "held-out")]
    order = np.random.default_rng(3).permutation(9)
    assert [len(part) for part in parts] == [5, 4] and not (order == np.arange(9)).all()
    found = [part.episode(index) for part in parts for index in range(len(part))]
    assert all(stores.equal(one, store.episode(int(index))) for one, index in zip(found, order, strict=True))


def test_a_split_that_was_killed_between_its_stores_goes_on(tmp_path, capsys):
    made(tmp_path / "one", 0)
    main(splitting(tmp_path, "held_out=1"))
    first = (tmp_path / "one-train" / "meta.json").stat().st_mtime_ns
    for file in (tmp_path / "one-held-out").rglob("*.*"):
        file.unlink()
    for folder in sorted((tmp_path / "one-held-out").rglob("*"), reverse=True):
        folder.rmdir()
    (tmp_path / "one-held-out").rmdir()
    main(splitting(tmp_path, "held_out=1"))
    assert (tmp_path / "one-train" / "meta.json").stat().st_mtime_ns == first
    assert len(EpisodeStore.open(tmp_path / "one-held-out")) == 1
    assert "exist already; choose another out=" in refused(capsys, main, splitting(tmp_path, "held_out=1"))
    message = refused(capsys, main, splitting(tmp_path, "held_out=2"))
    assert message == f"{tmp_path / 'one-train'} exists; choose another out="


def test_known_answers_survive_a_split(tmp_path):
    from tests.faults import small
    from vfplan.data.known import from_meta

    store = EpisodeStore.open(small.store(tmp_path / "one"))
    main(splitting(tmp_path, "held_out=4"))
    part = EpisodeStore.open(tmp_path / "one-held-out")
    assert from_meta(part.meta) == from_meta(store.meta)
    assert json.dumps(dataclasses.asdict(part.meta)) != json.dumps(dataclasses.asdict(store.meta))
