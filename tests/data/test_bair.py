"""BAIR's records as episodes, and what is said of records that are not."""

import numpy as np
import pytest

from tests.data import records
from vfplan.data.bair import ACTION_SCALE, BairSplit, decode
from vfplan.data.tfexample import parse_example
from vfplan.errors import UserError


@pytest.fixture(scope="module")
def values():
    return records.trajectory(0)


@pytest.fixture
def features(values):
    return parse_example(records.example(records.bair_features(values)))


def test_the_layout_has_the_size_of_the_published_archive(values):
    size = len(records.framed(records.example(records.bair_features(values))))
    assert size * (43264 + 256) / 2**30 == pytest.approx(30.06, abs=0.005)


@pytest.mark.parametrize("camera", ["image_aux1", "image_main"])
def test_a_record_becomes_an_episode_of_the_chosen_camera(features, values, camera):
    episode = decode(features, camera, ACTION_SCALE)
    np.testing.assert_array_equal(episode.frames, values[camera])
    np.testing.assert_array_equal(episode.hand, values["endeffector_pos"])
    assert episode.object_xy.shape == (30, 0, 2)
    assert episode.actions.shape == (29, 4)


def test_actions_lead_to_the_next_frame_and_are_scaled_into_the_unit_box(features, values):
    episode = decode(features, "image_aux1", ACTION_SCALE)
    np.testing.assert_allclose(episode.actions, values["action"][:29] / [0.07, 0.07, 4, 4], rtol=1e-6)
    halved = decode(features, "image_aux1", tuple(2 * scale for scale in ACTION_SCALE))
    np.testing.assert_allclose(halved.actions, episode.actions / 2, rtol=1e-6)


def test_the_largest_action_is_exactly_one(features):
    features["7/action"] = np.array([0.07, -0.07, 4, 0], np.float32)  # a float32 that is larger than 0.07
    np.testing.assert_array_equal(decode(features, "image_aux1", ACTION_SCALE).actions[7], [1, -1, 1, 0])


def floats(*values):
    return np.array(values, np.float32)


IMAGE = "4/image_aux1/encoded"


@pytest.mark.parametrize(
    ("name", "feature", "message"),
    [
        ("29/image_aux1/encoded", None, "expected a feature 29/image_aux1/encoded, found 119 others"),
        ("3/action", None, "expected a feature 3/action, found 119 others"),
        ("29/endeffector_pos", None, "expected a feature 29/endeffector_pos"),
        (IMAGE, [memoryview(bytes(100))], f"expected 12288 bytes (64x64 RGB) in {IMAGE}, found 100"),
        (IMAGE, [], f"expected one image in {IMAGE}, found 0 byte strings"),
        (IMAGE, np.zeros(3, np.int64), f"expected one image in {IMAGE}, found 3 numbers of type int64"),
        ("5/action", floats(0, 0, 0), "expected 4 floats in 5/action, found 3 numbers of type float32"),
        ("5/action", np.zeros(4, np.int64), "expected 4 floats in 5/action, found 4 numbers of type int64"),
        ("5/action", [memoryview(b"")], "expected 4 floats in 5/action, found 1 byte strings"),
        ("5/endeffector_pos", floats(0, np.nan, 0), "expected finite numbers in 5/endeffector_pos, found [0.0, nan"),
        ("28/action", floats(0, -0.08, 0, 0), "expected dy of an action within 0.07, found -0.08 in 28/action; give"),
        ("6/action", floats(0, 0, 0, 5), "expected up of an action within 4, found 5 in 6/action; give"),
    ],
)
def test_a_record_of_another_kind_is_refused(features, name, feature, message):
    if feature is None:
        del features[name]
    else:
        features[name] = feature
    with pytest.raises(ValueError) as error:
        decode(features, "image_aux1", ACTION_SCALE)
    assert str(error.value).startswith(message)


def test_files_are_in_the_order_of_their_numbers(tmp_path):
    for first in (1024, 0, 256):
        (tmp_path / f"traj_{first}_to_{first + 255}.tfrecords").write_bytes(records.framed(b"%d" % first) * 2)
    (tmp_path / "notes.txt").touch()
    split = BairSplit.open(tmp_path)
    assert [file.name.split("_")[1] for file in split.files] == ["0", "256", "1024"]
    assert len(split) == 6
    with pytest.raises(IndexError):
        split.episode(6, "image_aux1", ACTION_SCALE)


def test_the_fingerprint_is_that_of_the_records(tmp_path):
    def fingerprint(name, *files):
        (tmp_path / name).mkdir()
        for number, contents in enumerate(files):
            (tmp_path / name / f"traj_{number}.tfrecords").write_bytes(b"".join(map(records.framed, contents)))
        return BairSplit.open(tmp_path / name).fingerprint

    assert fingerprint("a", [b"x", b"y"], [b"z"]) == fingerprint("b", [b"x"], [b"y", b"z"])
    others = [
        fingerprint("c", [b"x", b"z"], [b"y"]),
        fingerprint("d", [b"x", b"y"]),
        fingerprint("e", [b"x", b"y", b"w"]),
    ]
    assert len({*others, fingerprint("f", [b"x", b"y", b"z"])}) == 4


def test_a_folder_without_records_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"no folder .*absent; expected source= to be softmotion30_44k"):
        BairSplit.open(tmp_path / "absent")
    with pytest.raises(UserError, match=r"expected files traj_\*.tfrecords with records in .*, found none"):
        BairSplit.open(tmp_path)
    (tmp_path / "traj_0_to_255.tfrecords").touch()
    with pytest.raises(UserError, match="found 1 empty ones"):
        BairSplit.open(tmp_path)
