"""Files of stable-worldmodel, robomimic and RoboNet become what their own loaders show."""

import io

import numpy as np
import pytest

from tests.data.formats import files
from vfplan.data import formats
from vfplan.data.formats.base import ReadConfig
from vfplan.errors import BadSourceError, UserError

h5py = pytest.importorskip("h5py", reason="pip install 'vfplan[hdf5]'")


def episodes(name, path, **config):
    source = formats.read(name, path, ReadConfig(**config))
    return source, list(source.episodes(range(len(source.lengths))))


def test_stable_worldmodel(tmp_path):
    files.swm(tmp_path / "a.h5")
    source, found = episodes("swm", tmp_path / "a.h5")
    assert source.lengths == files.LENGTHS and source.origin.env == "swm"
    for index, (one, length) in enumerate(zip(found, files.LENGTHS, strict=True)):
        np.testing.assert_array_equal(one.frames, files.frames(index, length + 1))
        np.testing.assert_array_equal(one.actions, files.actions(index, length))
        assert one.hand.shape == (length + 1, 0) and one.object_xy.shape == (length + 1, 0, 2)


@pytest.mark.parametrize("after", [True, False])
def test_robomimic(tmp_path, after):
    files.robomimic(tmp_path / "a.hdf5", after=after)
    _, found = episodes("robomimic", tmp_path / "a.hdf5")
    for index, (one, length) in enumerate(zip(found, files.LENGTHS, strict=True)):
        kept = length if after else length - 1  # nothing shows where the last action led
        np.testing.assert_array_equal(one.frames, files.frames(index, length + 1)[: kept + 1])
        np.testing.assert_array_equal(one.actions, files.actions(index, length)[:kept])


def test_robomimic_asks_which_camera(tmp_path):
    files.robomimic(tmp_path / "a.hdf5")
    with h5py.File(tmp_path / "a.hdf5", "a") as file:
        for demo in file["data"].values():
            for part in ("obs", "next_obs"):
                demo.move(f"{part}/agentview_image", f"{part}/left")
                demo[f"{part}/right"] = 255 - demo[f"{part}/left"][:]
    with pytest.raises(BadSourceError, match="give camera=, one of: left, right"):
        episodes("robomimic", tmp_path / "a.hdf5")
    _, found = episodes("robomimic", tmp_path / "a.hdf5", camera="right")
    np.testing.assert_array_equal(found[0].frames, 255 - files.frames(0, files.LENGTHS[0] + 1))


@pytest.mark.parametrize("colours", ["RGB", "BGR"])
def test_robonet_images(tmp_path, colours):
    source, found = episodes("robonet", files.robonet(tmp_path / "a", colours=colours))
    assert source.origin.description["imported"] == {"format": "robonet", "camera": "cam0_video"}
    for index, (one, length) in enumerate(zip(found, files.LENGTHS, strict=True)):
        seen = files.frames(index, length + 1)
        np.testing.assert_array_equal(one.frames, seen if colours == "RGB" else seen[..., ::-1])
        np.testing.assert_array_equal(one.actions, files.actions(index, length, 4))


def test_robonet_jpeg_is_what_pillow_decodes(tmp_path):
    from PIL import Image

    _, found = episodes("robonet", files.robonet(tmp_path / "a", form="JPEG"))
    with Image.open(io.BytesIO(files.encoded(files.frames(0, 6)[3], "JPEG").tobytes())) as image:
        np.testing.assert_array_equal(found[0].frames[3], np.asarray(image))


def test_robonet_video(tmp_path):
    av = pytest.importorskip("av", reason="pip install 'vfplan[video]'")
    ramp = np.arange(32, dtype=np.uint8)[None, :, None, None] * np.ones((6, 1, 32, 3), np.uint8) * 6
    ramp += 8 * np.arange(6, dtype=np.uint8)[:, None, None, None]
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", 5)
        stream.width = stream.height = 32
        stream.pix_fmt, stream.bit_rate = "yuv420p", 10_000_000
        for frame in ramp:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    folder = files.robonet(tmp_path / "a", lengths=(5,), size=(32, 32))
    with h5py.File(folder / "traj0.hdf5", "a") as file:
        del file["env/cam0_video"]
        video = file.create_dataset("env/cam0_video/frames", data=np.frombuffer(buffer.getvalue(), np.uint8))
        video.attrs["shape"], video.attrs["T"], video.attrs["image_format"] = (32, 32, 3), 6, "RGB"
    _, (one,) = episodes("robonet", folder)
    assert one.frames.shape == ramp.shape
    assert np.abs(one.frames.astype(int) - ramp).mean() < 3


def test_frames_that_are_not_square_ask_for_a_size(tmp_path):
    folder = files.robonet(tmp_path / "a", size=(12, 16))
    with pytest.raises(BadSourceError, match=r"frames are 12 x 16, not square; give image_size="):
        episodes("robonet", folder)
    source, found = episodes("robonet", folder, image_size=4)
    assert found[0].frames.shape == (6, 4, 4, 3) and source.origin.description["image_size"] == 4
    mean = files.frames(0, 6, (12, 16)).reshape(6, 4, 3, 4, 4, 3).mean((2, 4))
    assert np.abs(found[0].frames - mean).max() <= 1  # the mean over each area, rounded


def test_actions_beyond_one_ask_for_a_scale(tmp_path):
    files.swm(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["action"][:] = file["action"][:] * np.array([2, 0.5], np.float32)
    with pytest.raises(BadSourceError, match=r"actions reach \[1.*\]; give action_scale=\[1.*\] or larger") as error:
        episodes("swm", tmp_path / "a.h5")
    enough = [float(each) for each in str(error.value).rpartition("[")[2].partition("]")[0].split(",")]
    source, found = episodes("swm", tmp_path / "a.h5", action_scale=tuple(enough))
    assert source.origin.description["action_scale"] == enough
    np.testing.assert_allclose(
        found[1].actions * enough, files.actions(1, files.LENGTHS[1]) * [2, 0.5], rtol=1e-5, atol=1e-7
    )
    assert max(np.abs(one.actions).max() for one in found) == 1


def test_an_absent_library_is_named_with_the_line_of_pip(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"needs h5py, which is not installed: pip install 'vfplan\[hdf5\]'"):
        formats.read("swm", tmp_path / "a.h5", ReadConfig())
