"""Pictures of a store: a sheet of frames of some episodes, and the episodes moving."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vfplan.checks import within
from vfplan.data.described import seconds_per_step
from vfplan.data.store import EpisodeStore
from vfplan.output.folder import write_bytes
from vfplan.output.video import gif_bytes, grid, png_bytes

SHEET, MOVING = "sheet.png", "episodes.gif"
FASTEST, USUAL, SLOWEST = 0.05, 0.1, 1.0  # seconds a step; browsers slow down what is faster
ACROSS = 8  # episodes side by side
SIDE = 128
"""Pixels that a frame is enlarged to, about."""


@dataclass(frozen=True)
class PreviewConfig:
    """What to show; the comments in `configs/stores/preview.yaml` say what each key is."""

    data: str
    out: str = ""
    episodes: int = within(8, 1, 64)
    steps: int = within(8, 2, 64)

    @property
    def folder(self) -> Path:
        """Where the pictures go."""
        return Path(self.out or Path("runs", f"preview-{Path(self.data).name}"))


def preview(config: PreviewConfig) -> list[Path]:
    """Write both pictures, and return where they are. Raises UserError if there is no store."""
    store = EpisodeStore.open(config.data)
    chosen = np.unique(np.linspace(0, len(store) - 1, config.episodes).astype(int)).tolist()
    pace = min(max(FASTEST, seconds_per_step(store) or USUAL), SLOWEST)
    pictures = {
        SHEET: png_bytes(_sheet(store, chosen, config.steps)),
        MOVING: gif_bytes(_moving(store, chosen), pace),
    }
    for name, data in pictures.items():
        write_bytes(config.folder / name, data)
    return [config.folder / name for name in pictures]


def _sheet(store: EpisodeStore, chosen: list[int], steps: int) -> np.ndarray:
    """One row for each episode: frames from its beginning to its end, (Y, X, 3)."""
    places = np.array(
        [np.linspace(0, store.lengths[index], steps).round().astype(int) for index in chosen]
    )  # (rows, columns)
    columns = []
    for column in range(steps):
        frames = [store.episode(index).frames[place] for index, place in zip(chosen, places[:, column], strict=True)]
        steps_shown = set(places[:, column].tolist())
        label = f"step {steps_shown.pop()}" if len(steps_shown) == 1 else f"{column / (steps - 1):.0%}"
        columns.append((label, np.stack(frames)[:, None]))
    labels = [f"{index} {store.episode(index).policy}"[:24] for index in chosen]
    return grid(columns, scale=_scale(store), row_labels=labels)[0]


def _moving(store: EpisodeStore, chosen: list[int]) -> np.ndarray:
    """All episodes in rows of up to eight, (T, Y, X, 3); the shorter ones hold their last frame."""
    longest = int(store.lengths[chosen].max()) + 1
    clips = [_held(store.episode(index).frames, longest) for index in chosen]
    rows = -(-len(clips) // ACROSS)
    across = -(-len(clips) // rows)
    clips += [np.full_like(clips[0], 255)] * (rows * across - len(clips))
    labels = [str(index) if rows == 1 else "" for index in chosen]
    return grid([(labels[i], np.stack(clips[i::across])) for i in range(across)], scale=_scale(store))


def _held(frames: np.ndarray, count: int) -> np.ndarray:
    """Frames, the last of them repeated until there are `count`."""
    return frames[np.minimum(np.arange(count), len(frames) - 1)]


def _scale(store: EpisodeStore) -> int:
    return max(1, SIDE // store.image_size)
