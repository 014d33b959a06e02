"""Pictures of episodes side by side: labelled grids of enlarged frames, written whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence

import imageio.v3 as iio
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Frames = NDArray[np.uint8]

BACKGROUND = 255
INK = 20
BORDER = 4  # pixels between cells and around the grid
LABEL_HEIGHT = 22  # pixels
FONT_SIZES = range(15, 7, -1)  # the largest that fits is used


def grid(columns: Sequence[tuple[str, Frames]], *, scale: int = 4, row_labels: Sequence[str] = ()) -> Frames:
    """One video (T, Y', X', 3) of labelled columns: each one clip (T, Y, X, 3), or R of them stacked (R, T, Y, X, 3).

    Every pixel becomes a square of `scale` pixels; clips that are smaller than the largest are enlarged more, to the
    same size, and shorter ones hold their last frame. `row_labels`, if given, stand at the left of the R rows.
    Raises ValueError for clips that are not uint8, differ in R, or do not divide the largest.
    """
    if not columns or scale < 1:
        raise ValueError(f"need at least one column and scale >= 1, got {len(columns)} and {scale}")
    labels = [label for label, _ in columns]
    clips = [_rows_of_clips(label, frames) for label, frames in columns]
    num_rows = len(clips[0])
    if any(len(clip) != num_rows for clip in clips) or (row_labels and len(row_labels) != num_rows):
        raise ValueError(
            f"columns and row_labels must agree in rows, got {[len(c) for c in clips]} and {len(row_labels)}"
        )
    num_steps = max(clip.shape[1] for clip in clips)
    cell_y, cell_x = (scale * max(clip.shape[axis] for clip in clips) for axis in (2, 3))
    left = max((_text_width(label) for label in row_labels), default=-BORDER) + 2 * BORDER

    height = LABEL_HEIGHT + num_rows * (cell_y + BORDER)
    width = left + len(clips) * (cell_x + BORDER)
    canvas = np.full((num_steps, height, width, 3), BACKGROUND, dtype=np.uint8)
    for c, clip in enumerate(clips):
        x = left + c * (cell_x + BORDER)
        _write(canvas, labels[c], (0, x), (LABEL_HEIGHT, cell_x))
        for r, frames in enumerate(clip):
            y = LABEL_HEIGHT + r * (cell_y + BORDER)
            held = frames[np.minimum(np.arange(num_steps), len(frames) - 1)]
            canvas[:, y : y + cell_y, x : x + cell_x] = _enlarged(held, (cell_y, cell_x), labels[c])
    for r, label in enumerate(row_labels):
        _write(canvas, label, (LABEL_HEIGHT + r * (cell_y + BORDER), 0), (cell_y, left))
    return canvas


def gif_bytes(frames: Frames, seconds_per_frame: float) -> bytes:
    """The GIF of `frames` (T, Y, X, 3) uint8, which repeats; the format rounds durations to 10 ms."""
    if seconds_per_frame < 0.02:  # many viewers then show 0.1 s instead
        raise ValueError(f"seconds_per_frame must be at least 0.02, got {seconds_per_frame}")
    duration_ms = round(seconds_per_frame * 1000)
    return bytes(iio.imwrite("<bytes>", frames, extension=".gif", duration=duration_ms, loop=0))


def webp_bytes(frames: Frames, seconds_per_frame: float) -> bytes:
    """The WebP, without loss, of `frames` (T, Y, X, 3) uint8, which repeats; a third of the size of a GIF."""
    duration_ms = round(seconds_per_frame * 1000)
    return bytes(iio.imwrite("<bytes>", frames, extension=".webp", duration=duration_ms, loop=0, lossless=True))


def png_bytes(frame: Frames) -> bytes:
    """The PNG, without loss, of one frame (Y, X, 3) uint8."""
    return bytes(iio.imwrite("<bytes>", frame, extension=".png"))


def _rows_of_clips(label: str, frames: Frames) -> Frames:
    """(T, Y, X, 3) or (R, T, Y, X, 3) -> (R, T, Y, X, 3)."""
    clips = frames[None] if frames.ndim == 4 else frames
    if clips.dtype != np.uint8 or clips.ndim != 5 or clips.shape[-1] != 3 or 0 in clips.shape:
        raise ValueError(f"column {label!r} must be uint8 (T, Y, X, 3), got {frames.dtype} {frames.shape}")
    return clips


def _enlarged(frames: Frames, size: tuple[int, int], label: str) -> Frames:
    """(T, Y, X, 3) repeated to `size`, without interpolation, so that each pixel stays what it was."""
    height, width = frames.shape[1:3]
    if size[0] % height or size[1] % width:
        raise ValueError(f"column {label!r} is {height} x {width} pixels, which does not divide {size[0]} x {size[1]}")
    return frames.repeat(size[0] // height, axis=1).repeat(size[1] // width, axis=2)


def _write(canvas: Frames, text: str, corner: tuple[int, int], size: tuple[int, int]) -> None:
    """Write `text` into all frames, centred in the box of `size` (height, width) at `corner` (y, x)."""
    fits = (s for s in FONT_SIZES if _text_width(text, s) <= size[1])
    font = ImageFont.load_default(size=next(fits, FONT_SIZES[-1]))
    box = Image.new("L", (size[1], size[0]), BACKGROUND)
    ImageDraw.Draw(box).text((size[1] / 2, size[0] / 2), text, fill=INK, font=font, anchor="mm")
    (y, x), (height, width) = corner, size
    canvas[:, y : y + height, x : x + width] = np.asarray(box)[..., None]


def _text_width(text: str, font_size: int = FONT_SIZES[0]) -> int:
    return int(np.ceil(ImageFont.load_default(size=font_size).getlength(text)))
