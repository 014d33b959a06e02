"""vfplan.convert: what was in the records is in the store, and nothing damaged gets there."""

import numpy as np
import pytest

from tests.data import records
from tests.refusal import refused
from vfplan.convert import main
from vfplan.data.store import EpisodeStore
from vfplan.errors import UserError


@pytest.fixture(scope="module")
def framed():
    """Three records, framed."""
    return [records.framed(records.example(records.bair_features(records.trajectory(index)))) for index in range(3)]


@pytest.fixture
def source(tmp_path, framed):
    """A folder like softmotion30_44k, with two records in one file of the training split and one in another."""
    folder = tmp_path / "softmotion30_44k"
    (folder / "train").mkdir(parents=True)
    (folder / "train" / "traj_0_to_1.tfrecords").write_bytes(framed[0] + framed[1])
    (folder / "train" / "traj_2_to_2.tfrecords").write_bytes(framed[2])
    return folder


def arguments(source, *more, out="store", workers=1):
    given = {"out": source.parent / out, "run_dir": source.parent / "record", "workers": workers, "shard_episodes": 2}
    return [f"source={source}", *(f"{key}={value}" for key, value in given.items()), *more]


def convert(source, *more, out="store", workers=1):
    main(arguments(source, *more, out=out, workers=workers))
    return EpisodeStore.open(source.parent / out)


def convert_refused(capsys, source, *more, out="store"):
    return refused(capsys, main, arguments(source, *more, out=out), begun=True)


def damage(file, position):
    data = bytearray(file.read_bytes())
    data[position] ^= 0x10
    file.write_bytes(data)


@pytest.mark.parametrize("camera", ["image_aux1", "image_main"])
def test_what_was_written_comes_back(source, camera, capsys):
    store = convert(source, f"camera={camera}")
    store.verify()
    assert len(store) == 3 and store.meta.length == 29
    for index in range(3):
        episode, values = store.episode(index), records.trajectory(index)
        np.testing.assert_array_equal(episode.frames, values[camera])
        np.testing.assert_allclose(episode.actions * [0.07, 0.07, 4, 4], values["action"][:29], rtol=1e-6)
        np.testing.assert_array_equal(episode.hand, values["endeffector_pos"])
    description = store.meta.description
    assert (description["name"], description["image_size"], description["camera"]) == ("bair", 64, camera)
    assert description["action_scale"] == [0.07, 0.07, 4.0, 4.0]
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith(f"{store.path}: 3 episodes of 29 actions")
    assert out[1].startswith("converted now: 90 frames in ")
    assert out[-1] == f"next: python -m vfplan.train data={store.path}"


def test_the_store_does_not_depend_on_workers_or_growth(source):
    assert len(convert(source, "episodes=1", out="grown")) == 1
    assert convert(source, out="grown").digest == convert(source, workers=2).digest


def test_any_changed_byte_of_a_record_is_noticed(source, framed, capsys):
    size, file = len(framed[2]), source / "train" / "traj_2_to_2.tfrecords"
    data = records.example(records.bair_features(records.trajectory(2)))
    pixels = data.find(b"17/image_main/encoded") + 500  # of the camera that is not converted
    for position in (0, 11, 12, 12 + pixels, size - 1):
        file.write_bytes(framed[2])
        damage(file, position)
        out = f"store-{position}"
        message = convert_refused(capsys, source, out=out)
        assert message.startswith(f"{file}: record 0 is damaged: expected CRC ")
        with pytest.raises(UserError, match=r"no folder|is unfinished: 2 of 3 episodes"):
            EpisodeStore.open(source.parent / out)


@pytest.mark.parametrize("cut", [1, 4, 5, 700_000])
def test_a_file_that_is_cut_off_is_refused_before_anything_is_written(source, framed, capsys, cut):
    file = source / "train" / "traj_2_to_2.tfrecords"
    file.write_bytes(framed[2][:-cut])
    size = len(framed[2])
    expected = f"{file}: record 0 is cut off: expected {size} bytes, found {size - cut}"
    assert convert_refused(capsys, source) == expected
    assert not (source.parent / "store").exists()


def test_a_record_of_another_kind_is_refused_before_anything_is_written(source, capsys):
    features = records.bair_features(records.trajectory(0))
    file = source / "train" / "traj_0_to_1.tfrecords"
    del features["12/action"]
    file.write_bytes(records.framed(records.example(features)))
    assert convert_refused(capsys, source) == f"{file}: record 0: expected a feature 12/action, found 119 others"
    features["12/action"] = records.float_feature(0.1, 0, 0, 0)
    file.write_bytes(records.framed(records.example(features)))
    wanted = "expected dx of an action within 0.07, found 0.1 in 12/action; give a larger action_scale"
    assert convert_refused(capsys, source) == f"{file}: record 0: {wanted}"
    file.write_bytes(records.framed(b"\x0b"))
    assert convert_refused(capsys, source) == f"{file}: record 0: no tf.train.Example: wire type 3"
    assert not (source.parent / "store").exists()


def test_after_a_damaged_record_was_replaced_the_same_command_goes_on(source, framed, capsys):
    file = source / "train" / "traj_2_to_2.tfrecords"
    damage(file, 5000)
    assert convert_refused(capsys, source).startswith(f"{file}: record 0 is damaged")
    shard = source.parent / "store" / "shard-00000" / "frames.npy"
    before = shard.stat().st_mtime_ns
    file.write_bytes(framed[2])
    convert(source).verify()
    assert shard.stat().st_mtime_ns == before


def test_other_records_or_settings_are_refused(source, framed, capsys):
    convert(source)
    assert "collected with description.camera=image_aux1, not image_main" in convert_refused(
        capsys, source, "camera=image_main"
    )
    (source / "train" / "traj_2_to_2.tfrecords").write_bytes(framed[1])
    assert "collected with description.fingerprint=" in convert_refused(capsys, source)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("split=test", "no folder {source}/test; expected source= to be softmotion30_44k"),
        ("split=val", "unknown split 'val'; did you mean 'train'?"),
        ("camera=front", "unknown camera 'front'"),
        ("episodes=4", "episodes=4, but {source}/train has 3 records"),
        ("episodes=-1", "episodes must be in [0, 1e9], got -1"),
        ("action_scale=[1,1,0,1]", "action_scale must be in [1e-9, 1e9], got 0.0"),
        ("action_scale=[1,1]", "action_scale must be a list of 4"),
        ("source=/nowhere", "no folder /nowhere/train"),
    ],
)
def test_a_wrong_value_is_one_line_and_nothing_is_written(source, capsys, argument, message):
    assert convert_refused(capsys, source, argument).startswith(message.format(source=source).split(";")[0])
    assert not (source.parent / "store").exists()


def test_a_missing_source_and_an_empty_folder_are_one_line(source, capsys):
    with pytest.raises(SystemExit):
        main([])
    assert "source" in capsys.readouterr().err
    (source / "test").mkdir()
    assert "expected files traj_*.tfrecords with records in" in convert_refused(capsys, source, "split=test")
