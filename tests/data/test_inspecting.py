"""What `vfplan.data inspect` and `preview` say and show of a store is what is in it."""

import json

import imageio.v3 as iio
import numpy as np
import pytest

from tests.data.conftest import LENGTH, make_meta
from tests.data.formats import stores
from tests.refusal import refused
from vfplan.data.__main__ import main
from vfplan.data.episode import Episode
from vfplan.data.inspecting import InspectConfig, inspect
from vfplan.data.joining import mismatches
from vfplan.data.store import EpisodeStore
from vfplan.data.writing import prepare_store, write_manifest, write_shard

ABOUT = {"image_size": 16, "renderer": "ray-1", "action_scale": 0.05, "action_names": ["dx", "dy"], "step_seconds": 0.2}


def moving_store(path):
    """Four episodes: the object moves 2 mm in each of the first `index` steps, and 0.5 mm in the others."""
    meta = make_meta(episodes=4, shard_episodes=4, description=ABOUT, versions={"mujoco": "3.17.0"})
    prepare_store(path, meta)
    made = []
    for index in range(4):
        steps = np.where(np.arange(LENGTH) < index, 0.002, 0.0005)
        places = np.zeros((LENGTH + 1, 1, 2), np.float32)
        places[1:, 0, 0] = np.cumsum(steps)
        actions = np.stack([np.full(LENGTH, 1.0), np.linspace(-0.5, 0.5, LENGTH)], axis=1).astype(np.float32)
        frames = np.zeros((LENGTH + 1, 16, 16, 3), np.uint8)
        frames[: index + 1, 0, 0, 0] = np.arange(index + 1)
        frames[index + 1 :] = frames[index]
        made.append(
            Episode(frames, actions, np.zeros((LENGTH + 1, 3), np.float32), places, "odd" if index % 2 else "even")
        )
    write_manifest(path, [write_shard(path, 0, 0, made)])
    return EpisodeStore.open(path)


def test_every_number_is_that_of_the_store(tmp_path):
    store = moving_store(tmp_path / "store")
    found = inspect(InspectConfig(str(store.path)))
    assert (found.episodes, found.frames, found.lengths) == (4, 4 * (LENGTH + 1), (LENGTH,) * 3)
    assert found.moving_steps == pytest.approx((0 + 1 + 2 + 3) / (4 * LENGTH)) and found.moving_episodes == 0.75
    assert found.changing_steps == pytest.approx((0 + 1 + 2 + 3) / (4 * LENGTH))
    dx, dy = found.actions
    assert (dx.name, dx.mean, dx.std, dx.at_bound) == ("dx", 1, 0, 1)
    assert (dy.least, dy.greatest, dy.at_bound) == (-0.5, 0.5, 0)
    assert dy.std == pytest.approx(np.linspace(-0.5, 0.5, LENGTH).std(), rel=1e-6)
    assert (found.renderer, found.digest, found.wrong) == ("ray-1", store.digest, [])
    assert found.policies == {"even": 2, "odd": 2}
    assert inspect(InspectConfig(str(store.path), moved=0.0001)).moving_steps == 1


def test_the_command_says_it_all_and_writes_it(tmp_path, capsys):
    moving_store(tmp_path / "store")
    main(["inspect", f"data={tmp_path / 'store'}", f"out={tmp_path / 'found.json'}"])
    said = capsys.readouterr().out
    parts = ["4 episodes of 6 actions, 0.2 s a step", "renderer ray-1", "mujoco 3.17.0", "nothing found"]
    parts += ["one moves in 25.0% of the steps", "next: python -m vfplan.data preview"]
    assert [part for part in parts if part not in said] == []
    assert json.loads((tmp_path / "found.json").read_text())["moving_episodes"] == 0.75


def test_what_is_wrong_is_found(tmp_path, capsys):
    meta, lengths = make_meta(description=ABOUT), stores.UNEVEN
    store = stores.store(tmp_path / "store", lengths, meta=meta)
    for shard, change in ((0, np.nan), (1, 3.0)):
        file = store.path / f"shard-{shard:05d}" / "actions.npy"
        actions = np.load(file)
        actions[0, 0, 0] = change
        np.save(file, actions)
    main(["inspect", f"data={store.path}"])
    wrong = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  wrong")]
    assert len(wrong) == 4 and "1 actions are not finite" in wrong[0] and "1 actions are outside of [-1, 1]" in wrong[1]
    assert all("actions.npy is damaged: its SHA-256 changed" in line for line in wrong[2:])
    main(["inspect", f"data={store.path}", "hashes=false"])
    assert capsys.readouterr().out.count("  wrong") == 2


def test_an_unfinished_store_says_how_far_it_is(tmp_path, capsys):
    store = stores.store(tmp_path / "store")
    manifest = store.path / "manifest.jsonl"
    manifest.write_text("".join(manifest.read_text().splitlines(keepends=True)[:2]))
    message = refused(capsys, main, ["inspect", f"data={store.path}"])
    assert "is unfinished: 6 of 8 episodes" in message and "6 of 8 episodes listed" in message


@pytest.mark.parametrize("value", [None, "x" * 10_000, [[1]], {"a": "\n" * 99}, -1e300])
def test_a_description_may_hold_anything(value, tmp_path, capsys):
    keys = ("renderer", "action_scale", "action_names", "step_seconds", "config", "mjcf", "camera")
    meta = make_meta(episodes=2, description=dict.fromkeys(keys, value))
    store = stores.store(tmp_path / "store", [2, 3], meta=meta)
    main(["inspect", f"data={store.path}"])
    assert all(len(line) < 600 for line in capsys.readouterr().out.splitlines())
    main(["preview", f"data={store.path}", f"out={tmp_path / 'seen'}", "episodes=2", "steps=2"])
    assert mismatches([store, store]) == []


def test_pictures_show_the_frames(tmp_path, capsys):
    store = stores.store(tmp_path / "store", [6, 3, 5])
    main(["preview", f"data={store.path}", f"out={tmp_path / 'seen'}", "episodes=3", "steps=3"])
    assert capsys.readouterr().out.count("wrote ") == 2
    sheet = iio.imread(tmp_path / "seen" / "sheet.png")
    rows = [index for index in range(len(sheet)) if shown(sheet, store.episode(0).frames[0], index)]
    assert len(rows) == 1  # the first frame stands there, every pixel a square
    assert any(shown(sheet, store.episode(1).frames[3], index) for index in range(len(sheet)))
    moving = iio.imread(tmp_path / "seen" / "episodes.gif")
    assert len(moving) == 7


def shown(sheet, frame, row, scale=8):
    """Whether an enlarged frame begins in this row of a picture."""
    wanted = frame.repeat(scale, axis=0).repeat(scale, axis=1)
    part = sheet[row : row + len(wanted)]
    if len(part) < len(wanted):
        return False
    return any(
        (part[:, column : column + len(wanted)] == wanted).all() for column in range(part.shape[1] - len(wanted) + 1)
    )


def test_more_episodes_than_there_are_shows_all(tmp_path):
    store = stores.store(tmp_path / "store", [2] * 12)
    main(["preview", f"data={store.path}", f"out={tmp_path / 'seen'}", "episodes=64"])
    wide, high = iio.imread(tmp_path / "seen" / "episodes.gif").shape[2:0:-1]
    assert high > 2 * 128 and wide < 7 * 140  # twelve in two rows of six
