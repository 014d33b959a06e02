"""What is exported for lerobot has the schema of LeRobotDataset v3.0, and every bit of the store.

lerobot needs another torch, so its code does not run here: release 0.4.4 read such a folder once, by hand.
"""

import io
import json

import numpy as np
import pytest
from PIL import Image

from tests.data.conftest import make_meta
from tests.data.formats import stores
from tests.refusal import refused
from vfplan.data import formats
from vfplan.data.__main__ import main
from vfplan.data.formats.base import WriteConfig
from vfplan.errors import UserError

pa = pytest.importorskip("pyarrow", reason="pip install 'vfplan[lerobot]'")
pq = pytest.importorskip("pyarrow.parquet")

IMAGE = "observation.image"
COUNTERS = ("timestamp", "frame_index", "episode_index", "index", "task_index")
EPISODE_COLUMNS = {
    "episode_index": pa.int64(), "tasks": pa.list_(pa.string()), "length": pa.int64(), "data/chunk_index": pa.int64(),
    "data/file_index": pa.int64(), "dataset_from_index": pa.int64(), "dataset_to_index": pa.int64(),
    "meta/episodes/chunk_index": pa.int64(), "meta/episodes/file_index": pa.int64(),
}  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    description = {"image_size": 16, "action_names": ["dx", "dy", "lift", "close"], "step_seconds": 0.2}
    meta = make_meta(description=description)
    return stores.store(tmp_path_factory.mktemp("store") / "store", meta=meta)


@pytest.fixture(scope="module")
def folder(store):
    path = store.path.with_name("lerobot")
    formats.write("lerobot", store, path, WriteConfig(task="push the box", workers=1))
    return path


@pytest.fixture(scope="module")
def rows(folder):
    return pa.concat_tables(pq.read_table(file) for file in sorted((folder / "data").glob("*/*.parquet")))


def info(folder):
    return json.loads((folder / "meta/info.json").read_text())


def test_info_is_that_of_version_3(folder, store):
    said = info(folder)
    assert said["codebase_version"] == "v3.0" and said["fps"] == 5 and said["video_path"] is None
    assert said["data_path"] == "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
    assert (said["total_episodes"], said["total_frames"], said["total_tasks"]) == (8, sum(stores.UNEVEN) + 8, 1)
    assert said["splits"] == {"train": "0:8"} and said["chunks_size"] == 1000
    features = said["features"]
    assert features[IMAGE] == {"dtype": "image", "shape": [16, 16, 3], "names": ["height", "width", "channels"]}
    assert features["action"] == {"dtype": "float32", "shape": [4], "names": ["dx", "dy", "lift", "close"]}
    assert features["observation.state"]["names"] == ["x", "y", "z"]
    assert set(features) == {IMAGE, "observation.state", "observation.environment_state", "action", *COUNTERS}
    assert features["timestamp"] == {"dtype": "float32", "shape": [1], "names": None}


def test_the_table_has_the_types_of_the_features(folder, rows):
    schema = rows.schema
    assert schema.field(IMAGE).type == pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    assert schema.field("action").type == pa.list_(pa.float32(), 4)
    assert schema.field("timestamp").type == pa.float32()
    assert {schema.field(name).type for name in COUNTERS[1:]} == {pa.int64()}
    assert set(schema.names) == set(info(folder)["features"])
    known = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    assert set(known) == set(schema.names) and known[IMAGE] == {"_type": "Image"}


def test_every_bit_of_the_store_is_there(rows, store):
    table, row = rows.to_pylist(), 0
    for index in range(len(store)):
        episode = store.episode(index)
        for step in range(len(episode) + 1):
            found = table[row]
            with Image.open(io.BytesIO(found[IMAGE]["bytes"]), formats=("PNG",)) as image:
                np.testing.assert_array_equal(np.asarray(image), episode.frames[step])
            action = episode.actions[step] if step < len(episode) else np.zeros(4)
            np.testing.assert_array_equal(np.float32(found["action"]), action)
            np.testing.assert_array_equal(np.float32(found["observation.state"]), episode.hand[step])
            np.testing.assert_array_equal(
                np.float32(found["observation.environment_state"]), episode.object_xy[step].ravel()
            )
            assert [found[name] for name in COUNTERS] == [np.float32(step / 5), step, index, row, 0]
            row += 1
    assert row == len(table)


def test_episodes_say_where_their_rows_are(folder, store):
    files = sorted((folder / "meta/episodes").glob("*/*.parquet"))
    assert [str(file.relative_to(folder)) for file in files] == [
        f"meta/episodes/chunk-000/file-00{number}.parquet" for number in range(3)
    ]
    episodes = pa.concat_tables(map(pq.read_table, files))
    for name, kind in EPISODE_COLUMNS.items():
        assert episodes.schema.field(name).type in (kind, pa.list_(pa.field("element", pa.string()))), name
    for number, row in enumerate(episodes.to_pylist()):
        assert row["episode_index"] == number and row["length"] == stores.UNEVEN[number] + 1
        assert row["dataset_to_index"] - row["dataset_from_index"] == row["length"]
        assert row["tasks"] == ["push the box"] and row["data/chunk_index"] == 0
        data = pq.read_table(folder / f"data/chunk-000/file-{row['data/file_index']:03d}.parquet")
        inside = [number == each for each in data["episode_index"].to_pylist()]
        assert data["index"].to_pylist()[inside.index(True)] == row["dataset_from_index"]
        np.testing.assert_allclose(row["stats/action/min"], np.minimum(store.episode(number).actions.min(0), 0))


def test_statistics_are_those_of_all_rows(folder, rows, store):
    stats = json.loads((folder / "meta/stats.json").read_text())
    assert set(stats) == set(info(folder)["features"])
    actions = np.array(rows["action"].to_pylist())
    frames = np.concatenate([store.episode(index).frames for index in range(len(store))]) / 255
    for found, values, axes in ((stats["action"], actions, 0), (stats[IMAGE], frames, (0, 1, 2))):
        for name in ("min", "max", "mean", "std"):
            np.testing.assert_allclose(
                np.ravel(found[name]), getattr(np, name)(values, axis=axes), rtol=1e-9, atol=1e-12
            )
        assert found["count"] == [len(values)]
    assert np.shape(stats[IMAGE]["mean"]) == (3, 1, 1) and np.shape(stats["timestamp"]["mean"]) == (1,)


def test_pandas_would_find_the_tasks_by_name(folder):
    table = pq.read_table(folder / "meta/tasks.parquet")
    assert table.to_pydict() == {"task_index": [0], "task": ["push the box"]}
    assert table.schema.pandas_metadata["index_columns"] == ["task"]


def test_what_the_store_said_is_kept(folder, store):
    said = json.loads((folder / "meta/vfplan.json").read_text())
    assert said["digest"] == store.digest and said["description"] == store.meta.description and not said["lossy"]


def test_video_only_when_asked_for_and_said(store):
    av = pytest.importorskip("av", reason="pip install 'vfplan[lerobot]'")
    path = store.path.with_name("video")
    formats.write("lerobot", store, path, WriteConfig(lossy=True, workers=1))
    feature = info(path)["features"][IMAGE]
    assert feature["dtype"] == "video" and feature["info"]["video.codec"] == "av1" and feature["info"]["vfplan.lossy"]
    assert info(path)["video_path"] == "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
    assert IMAGE not in pq.read_schema(path / "data/chunk-000/file-000.parquet").names
    for shard in range(3):
        episodes = pq.read_table(path / f"meta/episodes/chunk-000/file-00{shard}.parquet").to_pylist()
        with av.open(str(path / f"videos/{IMAGE}/chunk-000/file-00{shard}.mp4")) as container:
            times = [float(frame.time) for frame in container.decode(video=0)]
        assert len(times) == sum(row["length"] for row in episodes)
        for row in episodes:
            begins, ends = (row[f"videos/{IMAGE}/{end}_timestamp"] for end in ("from", "to"))
            inside = [time for time in times if begins - 1e-3 <= time < ends - 1e-3]
            np.testing.assert_allclose(inside, begins + np.arange(row["length"]) / 5, atol=1e-3)


def times(folder):
    """When each file was written."""
    return {file.relative_to(folder): file.stat().st_mtime_ns for file in folder.rglob("*") if file.is_file()}


def test_an_export_that_ended_early_goes_on(store, folder, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    out, config = tmp_path / "out", WriteConfig(task="push the box", workers=1)
    with monkeypatch.context() as patched, pytest.raises(UserError, match="No space left on device"):
        patched.setattr("vfplan.data.formats.lerobot._write_meta", full)
        formats.write("lerobot", store, out, config)
    (partial,) = tmp_path.iterdir()
    before = times(partial)
    (partial / "meta/episodes/chunk-000/file-001.parquet").unlink()
    formats.write("lerobot", store, out, config)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    after = times(out)
    assert sum(after[file] == time for file, time in before.items()) == 4  # those of the shards that were whole
    assert sorted(after) == sorted(times(folder))
    assert all((folder / file).read_bytes() == (out / file).read_bytes() for file in after)


@pytest.mark.parametrize("key", ["lossy=true", "fps=5", "task=push"])
def test_its_keys_are_refused_for_others(key, store, tmp_path, capsys):
    message = refused(capsys, main, ["export", f"data={store.path}", "format=swm", key, f"out={tmp_path / 'a'}"])
    assert message == f"{key.partition('=')[0]}= is for format=lerobot; swm has no such thing"
