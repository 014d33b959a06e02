"""LeRobotDataset v3.0: tables of rows, one for each frame, a file of them for each shard of the store.

meta/info.json                             version, frames a second, features, counts, where files are
meta/stats.json                            least, greatest, mean and standard deviation of every feature
meta/tasks.parquet                         what is done, in words
meta/episodes/chunk-000/file-000.parquet   one row for each episode: its length, its rows, its statistics
meta/vfplan.json                           what the store said of itself
data/chunk-000/file-000.parquet            the rows; frames as PNG, which lose nothing
videos/observation.image/chunk-000/file-000.mp4   frames, where `lossy` is asked for; then the rows have none

An episode of T actions has T+1 rows; the action of the last row, which nothing follows, is zero.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from vfplan.data.checking import sound_episodes
from vfplan.data.described import seconds_per_step
from vfplan.data.formats.base import Origin, WriteConfig
from vfplan.data.formats.lerobot_features import IMAGE, Rows, Stats, features_of, merged_stats, schema_of, stats_of
from vfplan.data.formats.lerobot_video import VIDEO_INFO, write_video
from vfplan.data.store import EpisodeStore
from vfplan.data.writing import sole_writer
from vfplan.execution.executor import Report
from vfplan.execution.processes import run_units
from vfplan.extras import require_extra
from vfplan.output.folder import published_file, remove_temporary, write_json
from vfplan.output.progress import Bar
from vfplan.output.staging import staged_folder

VERSION = "v3.0"
CHUNK = 1000  # files in a folder
DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
EPISODES = f"meta/episodes/{DATA.removeprefix('data/')}"
VIDEO = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
PATIENCE = 600.0  # seconds


@dataclass(frozen=True)
class Export:
    """What is written, and where; it pickles."""

    store: Path
    folder: Path
    lossy: bool
    fps: int
    task: str

    def place(self, pattern: str, shard: int) -> Path:
        """The file that a shard goes to."""
        chunk, file = divmod(shard, CHUNK)
        return self.folder / pattern.format(chunk_index=chunk, file_index=file, video_key=IMAGE)


def write(store: EpisodeStore, path: Path, config: WriteConfig) -> None:
    """Write a store as a folder that lerobot reads. A killed export goes on with the files that it lacks."""
    if config.lossy:
        require_extra("lossy=true", "lerobot", "av")
    fps, task = config.fps or frames_per_second(store), config.task or f"{store.meta.env}: {store.meta.policy}"
    settings = {"store": store.digest, "lossy": config.lossy, "fps": fps, "task": task}
    with staged_folder(path, settings) as folder, sole_writer(folder):
        remove_temporary(folder, depth=4)
        export = Export(store.path.resolve(), folder, config.lossy, fps, task)
        todo = [shard for shard in range(store.meta.num_shards) if not export.place(EPISODES, shard).is_file()]
        workers = min(config.workers or os.cpu_count() or 1, len(todo))
        with Bar(total=len(store), unit="episode") as bar:
            bar.update(len(store) - sum(len(store.meta.shard_range(shard)) for shard in todo))
            for _ in run_units(functools.partial(_write_shard, export), todo, workers, bar.update, patience=PATIENCE):
                pass
        _write_meta(store, export)


def frames_per_second(store: EpisodeStore) -> int:
    """Frames a second as lerobot has them, a whole number: 10 where a store does not say."""
    seconds = seconds_per_step(store)
    return max(1, round(1 / seconds)) if seconds else 10


def _write_shard(export: Export, shard: int, report: Report) -> None:
    """Write the rows of a shard, its video if there is one, and last the row of each of its episodes."""
    store = EpisodeStore.open(export.store)
    indices = store.meta.shard_range(shard)
    first = int((store.lengths[: indices.start] + 1).sum())
    rows = list(_rows(store, indices, first, export, report))
    with published_file(export.place(DATA, shard)) as file:
        schema = schema_of(store, lossy=export.lossy)
        with pq.ParquetWriter(file, schema, compression="snappy") as writer:
            for each in rows:
                writer.write_table(each.table(schema))  # a row group for each episode, as lerobot has them
    if export.lossy:
        frames = (frame for index in indices for frame in store.episode(index).frames)
        with published_file(export.place(VIDEO, shard)) as file:
            write_video(file, frames, store.image_size, export.fps)
    with published_file(export.place(EPISODES, shard)) as file:
        pq.write_table(pa.Table.from_pylist([_episode_row(each, shard, rows[0].first, export) for each in rows]), file)


def _rows(store: EpisodeStore, indices: range, first: int, export: Export, report: Report) -> Iterator[Rows]:
    """The rows of each episode; `first` is that of the first of them among all."""
    for index, episode in zip(indices, sound_episodes(store, indices), strict=True):
        yield Rows.of(episode, index, first, export.fps, lossy=export.lossy)
        first += len(episode) + 1
        report()


def _episode_row(rows: Rows, shard: int, first_of_file: int, export: Export) -> dict[str, Any]:
    chunk, file = divmod(shard, CHUNK)
    row: dict[str, Any] = {
        "episode_index": rows.episode,
        "tasks": [export.task],
        "length": len(rows),
        "data/chunk_index": chunk,
        "data/file_index": file,
        "dataset_from_index": rows.first,
        "dataset_to_index": rows.first + len(rows),
        "meta/episodes/chunk_index": chunk,
        "meta/episodes/file_index": file,
    }
    if export.lossy:
        begins = rows.first - first_of_file
        row |= {f"videos/{IMAGE}/chunk_index": chunk, f"videos/{IMAGE}/file_index": file}
        row |= {
            f"videos/{IMAGE}/from_timestamp": begins / export.fps,
            f"videos/{IMAGE}/to_timestamp": (begins + len(rows)) / export.fps,
        }
    for feature, stats in rows.stats.items():
        row |= {f"stats/{feature}/{name}": value for name, value in stats.items()}
    return row


def _write_meta(store: EpisodeStore, export: Export) -> None:
    """Write what is said of all files, when they are there."""
    meta, total = export.folder / "meta", int(store.lengths.sum()) + len(store)
    info = {
        "codebase_version": VERSION,
        "robot_type": store.meta.env,
        "total_episodes": len(store),
        "total_frames": total,
        "total_tasks": 1,
        "chunks_size": CHUNK,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": export.fps,
        "splits": {"train": f"0:{len(store)}"},
        "data_path": DATA,
        "video_path": VIDEO if export.lossy else None,
        "features": features_of(store, VIDEO_INFO | {"video.fps": export.fps} if export.lossy else None),
    }
    files = [export.place(EPISODES, shard) for shard in range(store.meta.num_shards)]
    write_json(meta / "stats.json", merged_stats(_all_stats(files)))
    with published_file(meta / "tasks.parquet") as file:
        pq.write_table(_tasks(export.task), file)
    write_json(meta / "vfplan.json", {**asdict(Origin.of(store)), "digest": store.digest, "lossy": export.lossy})
    write_json(meta / "info.json", info)


def _all_stats(files: list[Path]) -> Iterator[dict[str, Stats]]:
    """The statistics of every episode."""
    for file in files:
        for row in pq.read_table(file).to_pylist():
            yield stats_of(row)


def _tasks(task: str) -> pa.Table:
    """A table that pandas reads with tasks as its index, as lerobot wants it."""
    columns = [
        {"name": name, "field_name": name, "pandas_type": kind, "numpy_type": numpy, "metadata": None}
        for name, kind, numpy in (("task_index", "int64", "int64"), ("task", "unicode", "object"))
    ]
    said = {"index_columns": ["task"], "column_indexes": [], "columns": columns, "pandas_version": "2.2.0"}
    table = pa.table({"task_index": pa.array([0], pa.int64()), "task": pa.array([task])})
    return table.replace_schema_metadata({"pandas": json.dumps(said)})
