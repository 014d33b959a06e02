"""What the rows of a LeRobotDataset hold: features of a store, their types in a table, and their statistics."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vfplan.data.described import action_names
from vfplan.data.episode import Episode
from vfplan.data.store import EpisodeStore
from vfplan.output.video import png_bytes

IMAGE, HAND, OBJECTS, ACTION = "observation.image", "observation.state", "observation.environment_state", "action"
COUNTERS = {"timestamp": "float32", "frame_index": "int64", "episode_index": "int64", "index": "int64",
            "task_index": "int64"}  # fmt: skip
"""The columns that every data set has, one number each."""

Stats = dict[str, Any]
"""min, max, mean, std (lists as the feature is shaped; those of images (3, 1, 1), in [0, 1]) and count ([rows])."""


@dataclass(frozen=True)
class Rows:
    """The rows of one episode."""

    episode: int
    first: int
    """The number of its first row among all."""
    columns: dict[str, Any]
    """The values of each column, an array (rows, ...); of images, the PNG of each."""
    stats: dict[str, Stats]

    @classmethod
    def of(cls, episode: Episode, index: int, first: int, fps: int, *, lossy: bool) -> Rows:
        """The rows of an episode. Images are left out where they are in a video."""
        count = len(episode) + 1
        each = {
            HAND: episode.hand,
            OBJECTS: episode.object_xy.reshape(count, -1),
            ACTION: np.concatenate([episode.actions, np.zeros_like(episode.actions[:1])]),
            "timestamp": (np.arange(count) / fps).astype(np.float32),
            "frame_index": np.arange(count),
            "episode_index": np.full(count, index),
            "index": first + np.arange(count),
            "task_index": np.zeros(count, np.int64),
        }
        columns: dict[str, Any] = {name: values for name, values in each.items() if values[0].size}
        stats = {name: _stats(values) for name, values in columns.items()}
        stats[IMAGE] = _image_stats(episode.frames)
        if not lossy:
            columns[IMAGE] = [png_bytes(frame) for frame in episode.frames]
        return cls(index, first, columns, stats)

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.columns["index"])

    def table(self, schema: pa.Schema) -> pa.Table:
        """The rows as a table."""
        return pa.table([self._column(field) for field in schema], schema=schema)

    def _column(self, field: pa.Field) -> pa.Array:
        values = self.columns[field.name]
        if field.name == IMAGE:
            return pa.array(
                [{"bytes": data, "path": f"frame-{row:06d}.png"} for row, data in enumerate(values)], field.type
            )
        if values.ndim == 1:
            return pa.array(values, field.type)
        flat = pa.array(np.ascontiguousarray(values).ravel(), pa.float32())
        return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])


def features_of(store: EpisodeStore, video: Mapping[str, Any] | None) -> dict[str, Any]:
    """What info.json says of each column; `video` is what it says of a video, None where images are in the table."""
    size, widths = store.image_size, _widths(store)
    image: dict[str, Any] = {"dtype": "video" if video else "image", "shape": [size, size, 3]}
    image["names"] = ["height", "width", "channels"]
    if video:
        image["info"] = {"video.height": size, "video.width": size, **video}
    names = {
        HAND: ["x", "y", "z"],
        OBJECTS: [f"object{number // 2}_{'xy'[number % 2]}" for number in range(widths.get(OBJECTS, 0))],
        ACTION: action_names(store),
    }
    vectors = {key: {"dtype": "float32", "shape": [width], "names": names[key]} for key, width in widths.items()}
    counters = {key: {"dtype": dtype, "shape": [1], "names": None} for key, dtype in COUNTERS.items()}
    return {IMAGE: image, **vectors, **counters}


def schema_of(store: EpisodeStore, *, lossy: bool) -> pa.Schema:
    """The types of the columns, also in the words of Hugging Face's `datasets`, so that it shows images as such."""
    fields: list[pa.Field] = []
    known: dict[str, Any] = {}
    if not lossy:
        fields.append(pa.field(IMAGE, pa.struct([("bytes", pa.binary()), ("path", pa.string())])))
        known[IMAGE] = {"_type": "Image"}
    for name, width in _widths(store).items():
        fields.append(pa.field(name, pa.list_(pa.float32(), width)))
        known[name] = {"feature": {"dtype": "float32", "_type": "Value"}, "length": width, "_type": "Sequence"}
    for name, dtype in COUNTERS.items():
        fields.append(pa.field(name, pa.type_for_alias(dtype)))
        known[name] = {"dtype": dtype, "_type": "Value"}
    return pa.schema(fields, {"huggingface": json.dumps({"info": {"features": known}})})


def stats_of(row: Mapping[str, Any]) -> dict[str, Stats]:
    """The statistics in the row of an episode, by feature."""
    found: dict[str, Stats] = {}
    for key, value in row.items():
        if key.startswith("stats/"):
            _, feature, name = key.split("/")
            found.setdefault(feature, {})[name] = value
    return found


def merged_stats(each: Iterable[Mapping[str, Stats]]) -> dict[str, Stats]:
    """The statistics of all rows from those of every episode."""
    by_feature: dict[str, list[Stats]] = {}
    for stats in each:
        for feature, values in stats.items():
            by_feature.setdefault(feature, []).append(values)
    return {feature: _merged(parts) for feature, parts in by_feature.items()}


def _merged(parts: list[Stats]) -> Stats:
    count = np.array([part["count"][0] for part in parts], np.float64)
    means, deviations = (np.array([part[name] for part in parts]) for name in ("mean", "std"))
    weight = (count / count.sum()).reshape(-1, *[1] * (means.ndim - 1))
    mean = (weight * means).sum(0)
    variance = (weight * (deviations**2 + (means - mean) ** 2)).sum(0)
    return {
        "min": np.min([part["min"] for part in parts], axis=0).tolist(),
        "max": np.max([part["max"] for part in parts], axis=0).tolist(),
        "mean": mean.tolist(),
        "std": np.sqrt(variance).tolist(),
        "count": [int(count.sum())],
    }


def _stats(values: NDArray[Any]) -> Stats:
    """Of a column (rows,) or (rows, width)."""
    rows = values.reshape(len(values), -1).astype(np.float64)
    ends = {"min": rows.min(0).tolist(), "max": rows.max(0).tolist()}
    return {**ends, "mean": rows.mean(0).tolist(), "std": rows.std(0).tolist(), "count": [len(rows)]}


def _image_stats(frames: NDArray[np.uint8]) -> Stats:
    stats = _stats(frames.reshape(-1, 3) / 255)
    return {
        **{name: [[[value]] for value in stats[name]] for name in ("min", "max", "mean", "std")},
        "count": [len(frames)],
    }


def _widths(store: EpisodeStore) -> dict[str, int]:
    """The features that are vectors, and how long; those without components are none."""
    first = store.episode(0)
    each = {HAND: first.hand[0].size, OBJECTS: first.object_xy[0].size, ACTION: store.action_dim}
    return {name: int(width) for name, width in each.items() if width}
