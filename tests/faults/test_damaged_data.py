"""Damaged data are found, named with their episodes, and mended without losing what is whole."""

import json
import os
import shutil
import sys

import pytest

from tests.commands.tiny import TINY
from tests.data.conftest import collect, make_episode, make_meta
from tests.refusal import refused
from vfplan.collect import main as collect_command
from vfplan.data.__main__ import main as data
from vfplan.data.mixture import Mixture
from vfplan.data.records import read_manifest
from vfplan.data.repairing import repair
from vfplan.data.store import EpisodeStore
from vfplan.data.writing import prepare_store, write_shard
from vfplan.errors import UserError
from vfplan.models.checkpoint import load_checkpoint
from vfplan.train import main as train

FILES = ["frames", "actions", "hand", "object_xy"]


def flip(file, place=-7):
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)


@pytest.fixture
def made(tmp_path):
    collect(tmp_path / "store", make_meta())
    return tmp_path / "store"


@pytest.fixture
def pushing(tmp_path):
    """A store of eight episodes of four shards, to be damaged."""
    given = ["env=push", "episodes=8", "shard_episodes=2", "env.length=14", "workers=1"]
    collect_command([*given, f"out={tmp_path / 'push'}", f"run_dir={tmp_path / 'record'}"])
    return tmp_path / "push"


@pytest.mark.parametrize("name", FILES)
def test_verify_names_every_file_that_differs(made, name, capsys):
    flip(made / "shard-00002" / f"{name}.npy")
    flip(made / "shard-00000" / "frames.npy")
    with pytest.raises(SystemExit) as caught:
        data(["verify", f"data={made}"])
    printed = capsys.readouterr()
    assert caught.value.code == 2
    assert f"error: {made} is damaged, 2 files; mend it with: python -m vfplan.data repair data={made}" in printed.err
    found = [line for line in printed.out.splitlines() if "is damaged: its SHA-256 changed" in line]
    assert "shard-00000/frames.npy" in found[0] and "(episodes 0 to 2)" in found[0]
    assert f"shard-00002/{name}.npy" in found[1] and "(episodes 6 to 7)" in found[1]


def test_verify_passes_what_is_whole(made, capsys):
    data(["verify", f"data={made}"])
    assert "8 episodes in 3 shards, all as they were written" in capsys.readouterr().out


def test_a_verb_must_be_known(capsys):
    assert refused(capsys, data, ["verfy", "data=x"]) == (
        "unknown verb 'verfy'; did you mean 'verify'? "
        "(valid: export, import, inspect, merge, preview, repair, split, verify)"
    )
    data([])
    assert "verbs: inspect, preview, verify, repair, merge, split, import, export" in capsys.readouterr().out


@pytest.mark.parametrize("damage", ["gone", "empty", "cut", "garbage"])
def test_a_lost_manifest_is_made_anew(made, damage, capsys):
    file = made / "manifest.jsonl"
    before = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes({"empty": b"", "cut": before[:-40], "garbage": b"\xff{" * 100}[damage])
    data(["repair", f"data={made}"])
    assert "8 of 8 episodes are whole and listed" in capsys.readouterr().out
    assert file.read_bytes() == before


@pytest.mark.parametrize("content", [None, b""])
def test_collect_lists_shards_again_that_the_manifest_lost(made, content):
    digest = EpisodeStore.open(made).digest
    (made / "manifest.jsonl").unlink() if content is None else (made / "manifest.jsonl").write_bytes(content)
    assert collect(made, make_meta()) == []
    assert EpisodeStore.open(made).digest == digest


@pytest.mark.parametrize("own", ["missing", "damaged"])
def test_collect_never_removes_a_shard_it_does_not_know(made, own):
    (made / "manifest.jsonl").write_bytes(b"")
    if own == "missing":
        (made / "shard-00001" / "shard.json").unlink()
    else:
        flip(made / "shard-00001" / "frames.npy")
    files = sorted(made.rglob("*.npy"))
    with pytest.raises(UserError, match=r"shard-00001 is not in the manifest; see to it: python -m vfplan.data repair"):
        collect(made, make_meta())
    assert sorted(made.rglob("*.npy")) == files


def test_a_store_of_before_is_taken_as_it_is(made, capsys):
    digest = EpisodeStore.open(made).digest
    for file in made.rglob("shard.json"):
        file.unlink()
    EpisodeStore.open(made)
    (made / "manifest.jsonl").unlink()
    data(["repair", f"data={made}"])
    assert capsys.readouterr().out.count("who acted is unknown") == 3
    assert EpisodeStore.open(made).digest == digest


def test_a_damaged_shard_is_put_aside_and_made_anew(pushing, capsys):
    digest = EpisodeStore.open(pushing).digest
    flip(pushing / "shard-00002" / "frames.npy")
    damaged = (pushing / "shard-00002" / "frames.npy").read_bytes()
    data(["repair", f"data={pushing}"])
    printed = capsys.readouterr().out
    assert "shard-00002/frames.npy is damaged" in printed and "6 of 8 episodes are whole" in printed
    assert (pushing / "damaged" / "shard-00002" / "frames.npy").read_bytes() == damaged
    given = ["env=push", "episodes=8", "shard_episodes=2", "env.length=14", "workers=1", f"out={pushing}"]
    collect_command([*given, f"run_dir={pushing.parent / 'record'}"])
    assert EpisodeStore.open(pushing).digest == digest


def test_first_touch_stops_at_a_damaged_shard(pushing, tmp_path, capsys):
    flip(pushing / "shard-00001" / "actions.npy")
    given = [f"data={pushing}", *TINY, "learning.steps=20", "validation_episodes=2", "verify=first_touch"]
    message = refused(capsys, train, [*given, f"run_dir={tmp_path / 'run'}"], begun=True)
    assert "shard-00001/actions.npy is damaged: its SHA-256 changed (episodes 2 to 3); see to it" in message


def test_first_touch_may_skip_and_says_what(pushing, tmp_path, capsys):
    flip(pushing / "shard-00001" / "actions.npy")
    given = [f"data={pushing}", *TINY, "validation_episodes=2", "verify=first_touch", "on_corrupt=skip"]
    train([*given, f"run_dir={tmp_path / 'whole'}"])
    printed = capsys.readouterr().out
    assert "(episodes 2 to 3); its episodes are left out (on_corrupt=skip)" in printed
    rows = [json.loads(line) for line in (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()]
    assert [row["damaged_shards"] for row in rows if "damaged" in row] == [1]
    assert load_checkpoint(tmp_path / "whole" / "checkpoint").training["steps"] == 4


def test_the_windows_of_a_damaged_shard_are_those_of_others(pushing):
    before = Mixture.open([pushing], None, 2).sampler(3, seed=0)
    flip(pushing / "shard-00001" / "actions.npy")
    after = Mixture.open([pushing], None, 2, "skip").sampler(3, seed=0)
    for step in range(20):
        (then,), (now,) = before.episodes(step, 8), after.episodes(step, 8)
        assert not {2, 3} & set(now)
        assert [episode for episode in then if episode not in (2, 3)] == [
            new for old, new in zip(then, now, strict=True) if old not in (2, 3)
        ]


def test_all_shards_damaged_is_one_line(pushing, tmp_path, capsys):
    for shard in range(3):
        flip(pushing / f"shard-0000{shard}" / "actions.npy")
    given = [f"data={pushing}", *TINY, "validation_episodes=2", "verify=first_touch", "on_corrupt=skip"]
    message = refused(capsys, train, [*given, f"run_dir={tmp_path / 'run'}"], begun=True)
    assert message == f"all shards of {pushing} that windows come from are damaged"


def dies(action, when):
    """Run `action` in a process that is killed at its filesystem event number `when`; whether it was."""
    child = os.fork()
    if child == 0:
        seen = 0

        def watch(event, arguments):
            nonlocal seen
            if event in ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir"):
                seen += 1
                if seen == when:
                    os._exit(9)

        sys.addaudithook(watch)
        try:
            action()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def test_a_kill_at_any_event_of_a_shard_loses_nothing(tmp_path):
    collect(tmp_path / "whole", make_meta())
    digest, when, killed = EpisodeStore.open(tmp_path / "whole").digest, 1, True
    while killed:
        path = tmp_path / str(when)
        collect(path, make_meta(), shards=[0, 1])

        def more(path=path):
            prepare_store(path, make_meta())
            write_shard(path, 2, 6, map(make_episode, range(6, 8)))

        killed = dies(more, when)
        collect(path, make_meta())
        assert EpisodeStore.open(path).digest == digest and not list(path.glob(".tmp-*"))
        shutil.rmtree(path)
        when += 1
    assert when > 15


def test_a_kill_at_any_event_of_a_repair_loses_nothing(tmp_path):
    collect(tmp_path / "whole", make_meta())
    flip(tmp_path / "whole" / "shard-00001" / "frames.npy")
    when, killed = 1, True
    while killed:
        path = shutil.copytree(tmp_path / "whole", tmp_path / str(when))
        killed = dies(lambda path=path: repair(path), when)
        repair(path)
        assert [record.shard for record in read_manifest(path, make_meta())] == [0, 2]
        assert (path / "damaged" / "shard-00001" / "frames.npy").is_file()
        when += 1
    assert when > 10
