"""Collect episodes of a scripted policy into a store, with worker processes that each write whole shards."""

import dataclasses
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vfplan.collecting import FillConfig, fill_store, report
from vfplan.config import command
from vfplan.data.episode import Episode
from vfplan.data.store import FORMAT_VERSION, StoreMeta
from vfplan.errors import UserError
from vfplan.rundir import RunDir, package_versions
from vfplan.sections import environments

if TYPE_CHECKING:
    from envs import GymConfig, PushConfig

HELP = """
Collect episodes of a scripted policy into a store of frames, actions and positions.
A killed collection goes on when the same command is run again; more episodes= makes a store grow.

  python -m vfplan.collect env=push episodes=1000 out=data/push
  python -m vfplan.collect env=push_bair policy=bair workers=8
  python -m vfplan.collect env.num_objects=2 env.image_size=32 seed=7 out=data/two
  python -m vfplan.collect -m env=push,push_slip episodes=200
  python -m vfplan.collect env=pusht episodes=2000
  python -m vfplan.collect env=gym env.id=Pusher-v5 out=data/pusher
"""


@dataclass(frozen=True)
class CollectConfig(FillConfig):
    """What to collect; the comments in `configs/collect.yaml` say what each key is."""

    env: "PushConfig | GymConfig"
    episodes: int = 1000
    policy: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.episodes < 1:
            raise ValueError(f"episodes must be >= 1, got {self.episodes}")

    @property
    def folder(self) -> Path:
        """Where the store goes."""
        return Path(self.out or f"data/{self.env.name}")


def collect(config: CollectConfig) -> None:
    """Write the episodes that the store at `config.folder` lacks. Raises UserError."""
    run, meta = RunDir(config.run_dir, config), describe(config)
    filled = fill_store(config.folder, meta, functools.partial(_episodes, config), config.workers)
    report(filled, meta, run, verb="collect")


def describe(config: CollectConfig) -> StoreMeta:
    """All that decides about the bytes of the store. Raises UserError if the environment or policy cannot be made."""
    import envs

    try:
        policy, env = envs.policy_name(config.env, config.policy), envs.build(config.env)
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
        policy=policy,
        description=description,
        versions=package_versions(("vfplan", "numpy", "gymnasium" if "id" in description else "mujoco")),
    )


def _episodes(config: CollectConfig, indices: range) -> Iterator[Episode]:
    """The episodes of these numbers, run in a worker process."""
    import envs
    from envs import policies

    env, policy = envs.build(config.env), policies.make(envs.policy_name(config.env, config.policy))
    try:
        for index in indices:
            yield Episode(**policies.rollout_episode(env, policy, config.seed, index, config.env.length))
    finally:
        env.close()


main = command(collect, CollectConfig, name="collect", help=HELP, sections={"env": environments})

if __name__ == "__main__":
    main()
