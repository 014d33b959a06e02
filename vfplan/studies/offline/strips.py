"""Rows of frames over chosen steps, as one picture."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from vfplan.output.video import Frames, grid, png_bytes

SHOWN = (0, 1, 2, 3, 5, 8, 12, 16, 20, 24, 28, 36, 48, 64, 80, 100)
"""Steps that get a column in a long strip; a strip of up to `ALL_SHOWN` steps shows them all."""
ALL_SHOWN = 10


def liveliest(clips: Tensor, count: int) -> list[int]:
    """The rows of clips (N, T, C, Y, X) uint8 in which most changes over time, most first."""
    motion = clips.float().std(dim=1).mean(dim=(1, 2, 3))
    return [int(row) for row in motion.argsort(descending=True)[:count]]


def strip(rows: Mapping[str, Tensor], steps: int, *, scale: int = 2) -> bytes:
    """A PNG with a labelled row per clip and a column per shown step.

    A clip (T, C, Y, X) uint8 ends at step `steps`: one of `steps` frames starts at step 1, a longer one at 0 or before,
    and where a row has no frame of a step the cell stays white.
    """
    first = steps + 1 - max(len(clip) for clip in rows.values())
    after = SHOWN if steps > ALL_SHOWN else range(steps)
    shown = [*range(first, 0), *(step for step in after if first <= step < steps), steps]
    columns = [(str(step), np.stack([_cell(clip, step, steps) for clip in rows.values()])) for step in shown]
    return png_bytes(grid(columns, scale=scale, row_labels=list(rows))[0])


def cells(rows: Mapping[str, Mapping[str, Tensor]], *, scale: int = 2) -> bytes:
    """A PNG of single frames (C, Y, X) uint8, {row label: {column label: frame}}; all rows have the same columns."""
    labels = list(next(iter(rows.values())))
    columns = [(label, np.stack([channels_last(row[label][None]) for row in rows.values()])) for label in labels]
    return png_bytes(grid(columns, scale=scale, row_labels=list(rows))[0])


def channels_last(clip: Tensor) -> Frames:
    """(..., C, Y, X) uint8 as an array (..., Y, X, C)."""
    return np.ascontiguousarray(clip.movedim(-3, -1).cpu().numpy())


def _cell(clip: Tensor, step: int, steps: int) -> Frames:
    """The frame (1, Y, X, C) of `step` in a clip whose last frame is that of `steps`."""
    index = step - (steps + 1 - len(clip))
    blank = np.full((1, *clip.shape[2:], clip.shape[1]), 255, dtype=np.uint8)
    return channels_last(clip[index : index + 1]) if index >= 0 else blank
