"""Collect episodes of a scripted policy into a store, with worker processes that each write whole shards."""

import contextlib
import dataclasses
import fcntl
import functools
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tqdm import tqdm

from vfplan.config import command
from vfplan.data.episode import Episode
from vfplan.data.store import FORMAT_VERSION, ShardRecord, StoreMeta
from vfplan.data.writing import prepare_store, write_manifest, write_shard
from vfplan.errors import UserError
from vfplan.rundir import RunDir, package_versions
from vfplan.workers import Report, run_units

if TYPE_CHECKING:
    from envs import PushConfig

HELP = """
Collect episodes of a scripted policy into a store of frames, actions and positions.
A killed collection goes on when the same command is run again; more episodes= makes a store grow.

  python -m vfplan.collect env=push episodes=1000 out=data/push
  python -m vfplan.collect env=push_bair policy=bair workers=8
  python -m vfplan.collect env.num_objects=2 env.image_size=32 seed=7 out=data/two
  python -m vfplan.collect -m env=push,push_slip episodes=200
"""


@dataclass(frozen=True)
class CollectConfig:
    """What to collect; the comments in `configs/collect.yaml` say what each key is."""

    env: "PushConfig"
    episodes: int = 1000
    out: str = ""
    policy: str = "mixed"
    workers: int = 0
    seed: int = 0
    shard_episodes: int = 128
    device: Literal["auto", "cpu", "cuda"] = "auto"
    run_dir: str = ""

    def __post_init__(self) -> None:
        for name, least in {"episodes": 1, "workers": 0, "seed": 0, "shard_episodes": 1}.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be >= {least}, got {getattr(self, name)}")

    @property
    def folder(self) -> Path:
        """Where the store goes."""
        return Path(self.out or f"data/{self.env.name}")


def environments() -> dict[str, Any]:
    """The presets that `env=` chooses from."""
    from envs.scene import PRESETS

    return dict(PRESETS)


def collect(config: CollectConfig) -> None:
    """Write the episodes that the store at `config.folder` lacks. Raises UserError."""
    meta, path = describe(config), config.folder
    with _sole_writer(path):
        finished = prepare_store(path, meta)
        done = {record.shard: record for record in finished}
        todo = [shard for shard in range(meta.num_shards) if shard not in done]
        start, first_episodes = time.perf_counter(), sum(record.count for record in finished)
        workers = min(config.workers or os.cpu_count() or 1, len(todo))
        with _Bar(total=meta.episodes, initial=first_episodes, bar_format=_Bar.layout, mininterval=0.5) as bar:
            bar.frames_each = meta.length + 1
            work = functools.partial(_collect_shard, path, meta, config)
            for record in run_units(work, todo, workers, bar.update):
                done[record.shard] = record
                write_manifest(path, done.values())
    seconds = time.perf_counter() - start
    num_frames = (meta.episodes - first_episodes) * (meta.length + 1)
    size = sum(file.stat().st_size for file in path.rglob("*.npy")) / 1e6
    print(f"{path}: {meta.episodes} episodes of {meta.length} actions, {size:.0f} MB")
    if todo:
        speed = num_frames / seconds
        print(f"collected now: {num_frames} frames in {seconds:.1f} s, {speed:.0f} frames/s, {workers} workers")
        summary = {
            "store": path,
            "frames": num_frames,
            "seconds": seconds,
            "frames_per_second": speed,
            "workers": workers,
        }
        print(f"wrote {RunDir(config.run_dir, config).write_json('collect.json', summary)}")
    print(f"next: python -m vfplan.train data={path}")


def describe(config: CollectConfig) -> StoreMeta:
    """All that decides about the bytes of the store. Raises UserError if the environment or policy cannot be made."""
    from envs import PushEnv, policies

    try:
        policies.make(config.policy)
        env = PushEnv(config.env)
    except ValueError as error:
        raise UserError(str(error)) from error
    description = {**env.description(), "config": dataclasses.asdict(config.env)}
    env.close()
    return StoreMeta(
        version=FORMAT_VERSION,
        env=config.env.name,
        episodes=config.episodes,
        shard_episodes=config.shard_episodes,
        length=config.env.length,
        seed=config.seed,
        policy=config.policy,
        description=description,
        versions=package_versions(("vfplan", "numpy", "mujoco")),
    )


class _Bar(tqdm):
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


def _collect_shard(path: Path, meta: StoreMeta, config: CollectConfig, shard: int, report: Report) -> ShardRecord:
    """Make and write the episodes of one shard, in a worker process."""
    from envs import PushEnv, policies

    env, policy = PushEnv(config.env), policies.make(config.policy)

    def episodes() -> Iterator[Episode]:
        for index in meta.shard_range(shard):
            yield Episode(**policies.rollout_episode(env, policy, meta.seed, index, meta.length))
            report()

    try:
        return write_shard(path, shard, meta.shard_range(shard).start, episodes())
    except OSError as error:
        raise UserError(f"cannot write to {path}: {error.strerror or error}") from error
    finally:
        env.close()


@contextlib.contextmanager
def _sole_writer(path: Path) -> Iterator[None]:
    """Hold the folder against a second collection; the lock ends with this process, however it ends."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise UserError(f"cannot write to {path}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise UserError(f"another collection is writing to {path}") from None
    except OSError as error:
        raise UserError(f"cannot write to {path}: {error.strerror or error}") from error
    finally:
        os.close(descriptor)


main = command(collect, CollectConfig, name="collect", help=HELP, sections={"env": environments})

if __name__ == "__main__":
    main()
