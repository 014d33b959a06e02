"""Filling an episode store with worker processes that each write whole shards: what the commands that make data run.

Nothing here knows where episodes come from: a command hands over a function from episode numbers to episodes.
"""

import functools
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from vfplan.checks import MOST_SEED, require_ranges, within
from vfplan.data.episode import Episode
from vfplan.data.records import ShardRecord, StoreMeta
from vfplan.data.store import EpisodeStore
from vfplan.data.writing import prepare_store, sole_writer, write_manifest, write_shard
from vfplan.errors import UserError
from vfplan.execution.executor import ExecutorName, Report, executor_named, require_executor
from vfplan.output.folder import RunDir
from vfplan.output.progress import Bar

MakeEpisodes = Callable[[range], Iterable[Episode]]
"""Makes the episodes of these numbers, in order, in a worker process; it must pickle."""


@dataclass(frozen=True, kw_only=True)
class FillConfig:
    """The keys that every command has that makes a store; the comments in its YAML file say what each is."""

    out: str = ""
    executor: ExecutorName = "processes"
    workers: int = within(0, 0, 1024)
    seed: int = within(0, 0, MOST_SEED)
    shard_episodes: int = within(128, 1, 100_000)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    unit_seconds: float = within(600, 0, 1e6)
    run_dir: str = ""

    def __post_init__(self) -> None:
        require_ranges(self)
        require_executor(self.executor, self.workers)


@dataclass(frozen=True)
class Filled:
    """What one call of `fill_store` wrote: frames, and the time and the processes that took."""

    store: Path
    frames: int
    seconds: float
    frames_per_second: float
    workers: int


def fill_store(path: Path, meta: StoreMeta, make: MakeEpisodes, config: FillConfig) -> Filled:
    """Write the episodes that the store at `path` lacks, by the executor and with the workers of `config`.

    Raises:
        UserError: if the folder holds something else, is being written to or cannot be, or as `make` does. Shards that
            are finished stay, and the same call goes on with the others.
    """
    with sole_writer(path):
        finished = prepare_store(path, meta)
        done = {record.shard: record for record in finished}
        todo = [shard for shard in range(meta.num_shards) if shard not in done]
        start, first_episodes = time.perf_counter(), sum(record.count for record in finished)
        workers = min(_workers(config), len(todo))
        run_units = executor_named(config.executor, Path(config.run_dir) / "jobs")
        with _Bar(total=meta.episodes, unit="episode", initial=first_episodes, bar_format=_Bar.layout) as bar:
            bar.frames_each = meta.length + 1
            work = functools.partial(_write_shard, path, meta, make)
            for record in run_units(work, todo, workers, bar.update, patience=config.unit_seconds):
                done[record.shard] = record
                write_manifest(path, done.values())
    seconds = time.perf_counter() - start
    num_frames = sum(_frames(done[shard], meta.length) for shard in todo)
    return Filled(path, num_frames, seconds, num_frames / seconds, workers)


def _workers(config: FillConfig) -> int:
    return 1 if config.executor == "serial" else config.workers or os.cpu_count() or 1


def _frames(record: ShardRecord, length: int) -> int:
    """How many frames a shard holds."""
    return record.count + (sum(record.lengths) if record.lengths else record.count * length)


def report(filled: Filled, meta: StoreMeta, run: RunDir, *, verb: str, options: str = "") -> None:
    """Print what the store holds and what was `verb`-ed now, record that in the run folder, print the next command.

    `options` are those of the training command that the data ask for.
    """
    size = sum(file.stat().st_size for file in filled.store.rglob("*.npy")) / 1e6
    lengths = EpisodeStore.open(filled.store).lengths
    actions = f"{lengths.min()} to {lengths.max()}" if lengths.min() < lengths.max() else f"{lengths.max()}"
    print(f"{filled.store}: {meta.episodes} episodes of {actions} actions, {size:.0f} MB")
    if filled.frames:
        speed = f"{filled.frames_per_second:.0f} frames/s, {filled.workers} workers"
        print(f"{verb.removesuffix('e')}ed now: {filled.frames} frames in {filled.seconds:.1f} s, {speed}")
        print(f"wrote {run.write_json(f'{verb}.json', asdict(filled))}")
    print(f"next: python -m vfplan.train data={filled.store}{options and ' '}{options}")


class _Bar(Bar):
    """A progress bar that counts episodes and tells the speed in frames."""

    layout = "{l_bar}{bar}| {n_fmt}/{total_fmt} episodes [{elapsed}<{remaining}, {frames_rate} frames/s]"
    frames_each = 1

    @property
    def format_dict(self) -> dict[str, Any]:
        """What `layout` may name."""
        values: dict[str, Any] = super().format_dict
        # tqdm has no recent rate at the very end; the mean is wanted then.
        rate = values["rate"] or (values["n"] - values["initial"]) / max(values["elapsed"], 1e-3)
        return {**values, "frames_rate": round(rate * self.frames_each)}


def _write_shard(path: Path, meta: StoreMeta, make: MakeEpisodes, shard: int, report: Report) -> ShardRecord:
    """Make and write the episodes of one shard, in a worker process."""

    def episodes() -> Iterator[Episode]:
        for episode in make(meta.shard_range(shard)):
            yield episode
            report()

    try:
        return write_shard(path, shard, meta.shard_range(shard).start, episodes(), meta.length)
    except OSError as error:
        raise UserError(f"cannot write to {path}: {error.strerror or error}") from error
