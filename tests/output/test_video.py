"""Grids lose nothing, and neither do pictures and videos of them, but MP4."""

import importlib.util

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image

from tests.refusal import refused
from vfplan.output.mp4 import mp4_bytes
from vfplan.output.video import BORDER, LABEL_HEIGHT, gif_bytes, grid, png_bytes, webp_bytes
from vfplan.plan import main as plan


def clip(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, size=(*shape, 3), dtype=np.uint8)


def cell(frames, row, column, size, left=BORDER):
    y = LABEL_HEIGHT + row * (size[0] + BORDER)
    x = left + column * (size[1] + BORDER)
    return frames[:, y : y + size[0], x : x + size[1]]


def test_shape_of_one_row():
    frames = grid([("real", clip(5, 8, 10)), ("imagined", clip(5, 8, 10))], scale=4)
    assert frames.dtype == np.uint8
    assert frames.shape == (5, LABEL_HEIGHT + 32 + BORDER, BORDER + 2 * (40 + BORDER), 3)


def test_every_pixel_is_recovered_from_the_grid():
    clips = [clip(2, 3, 8, 10, seed=seed) for seed in range(3)]
    frames = grid([(str(i), frames) for i, frames in enumerate(clips)], scale=4)
    for column, frames_in in enumerate(clips):
        for row in range(2):
            block = cell(frames, row, column, (32, 40)).reshape(3, 8, 4, 10, 4, 3)
            assert (block == frames_in[row][:, :, None, :, None]).all()


def test_small_frames_are_enlarged_to_the_size_of_large_ones():
    thumbnails, images = clip(2, 4, 4), clip(2, 16, 16, seed=1)
    frames = grid([("thumbnail", thumbnails), ("image", images)], scale=2)
    assert np.array_equal(cell(frames, 0, 0, (32, 32))[:, ::8, ::8], thumbnails)
    assert np.array_equal(cell(frames, 0, 1, (32, 32))[:, ::2, ::2], images)


def test_a_shorter_clip_holds_its_last_frame():
    short = clip(2, 4, 4)
    frames = grid([("goal", short), ("run", clip(5, 4, 4))], scale=2)
    shown = cell(frames, 0, 0, (8, 8))[:, ::2, ::2]
    assert np.array_equal(shown, short[[0, 1, 1, 1, 1]])


def test_labels_are_present_and_differ():
    black = np.zeros((1, 16, 16, 3), dtype=np.uint8)
    frames = grid([("real", black), ("goal", black)], scale=4)
    real, goal = (frames[0, :LABEL_HEIGHT, BORDER + i * (64 + BORDER) :][:, :64] for i in range(2))
    assert (real < 128).sum() > 30
    assert (goal < 128).sum() > 30
    assert not np.array_equal(real, goal)


def test_a_long_label_stays_inside_its_column():
    white = np.full((1, 16, 16, 3), 255, dtype=np.uint8)
    frames = grid([("a label far too long for such a narrow column", white), ("", white)], scale=4)
    assert (frames[:, :, BORDER + 64 :] == 255).all()


def test_row_labels_stand_at_the_left_and_cover_nothing():
    clips = clip(2, 1, 16, 16)
    frames = grid([("real", clips)], scale=2, row_labels=["task 1", "task 12"])
    left = frames.shape[2] - 32 - BORDER
    assert (frames[:, LABEL_HEIGHT:, :left] < 128).any()
    for row in range(2):
        assert np.array_equal(cell(frames, row, 0, (32, 32), left)[:, ::2, ::2], clips[row])


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ([], {}, "at least one column"),
        ([("a", clip(1, 4, 4))], {"scale": 0}, "scale >= 1"),
        ([("a", clip(1, 4, 4).astype(float))], {}, "column 'a' must be uint8"),
        ([("a", clip(0, 4, 4))], {}, "column 'a' must be uint8"),
        ([("a", clip(2, 1, 4, 4)), ("b", clip(1, 4, 4))], {}, "must agree in rows"),
        ([("a", clip(1, 4, 4))], {"row_labels": ["x", "y"]}, "must agree in rows"),
        ([("a", clip(1, 7, 7)), ("b", clip(1, 8, 8))], {"scale": 1}, "column 'a' is 7 x 7 pixels"),
    ],
)
def test_what_makes_no_grid_is_refused(columns, options, message):
    with pytest.raises(ValueError, match=message):
        grid(columns, **options)


def test_gif_keeps_frames_size_and_time(tmp_path):
    frames = grid([("real", clip(4, 8, 8))], scale=4)
    (tmp_path / "run.gif").write_bytes(gif_bytes(frames, 0.25))
    read = iio.imread(tmp_path / "run.gif")
    assert read.shape == frames.shape
    assert iio.immeta(tmp_path / "run.gif")["duration"] == 250
    assert iio.immeta(tmp_path / "run.gif")["loop"] == 0


def test_a_gif_too_fast_for_viewers_is_refused():
    with pytest.raises(ValueError, match="seconds_per_frame must be at least"):
        gif_bytes(clip(2, 8, 8), 0.001)


def test_webp_is_lossless_and_keeps_time(tmp_path):
    frames = grid([("real", clip(4, 8, 8))], scale=4)
    path = tmp_path / "run.webp"
    path.write_bytes(webp_bytes(frames, 0.25))
    read = np.stack([frame[..., :3] for frame in iio.imiter(path, mode="RGB")])
    assert np.array_equal(read, frames)
    with Image.open(path) as image:
        image.seek(1)
        image.load()
        assert (image.n_frames, image.info["loop"], image.info["duration"]) == (4, 0, 250)


@pytest.mark.skipif(importlib.util.find_spec("av") is None, reason="av not installed (pip install 'vfplan[video]')")
def test_mp4_keeps_frames_size_and_time(tmp_path):
    import av

    frames = np.full((6, 31, 40, 3), 120, np.uint8)  # an odd side gets a line more
    frames[:, 8:24, 4:20] = (200, 60, 40)
    (tmp_path / "run.mp4").write_bytes(mp4_bytes(frames, 0.25))
    with av.open(str(tmp_path / "run.mp4")) as container:
        read = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
        assert container.streams.video[0].average_rate == 4
    assert read.shape == (6, 32, 40, 3) and np.abs(read[:, :31].astype(int) - frames).mean() < 3


def test_mp4_without_its_extra_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    message = refused(capsys, plan, ["video=mp4", f"run_dir={tmp_path / 'out'}"])
    assert message == "video=mp4 needs av, which is not installed: pip install 'vfplan[video]'"
    assert list(tmp_path.iterdir()) == []


def test_png_is_lossless():
    frame = clip(8, 9)
    assert np.array_equal(iio.imread(png_bytes(frame)), frame)
