"""Collect episodes of a policy or a planner into a store, with worker processes that each write whole shards."""

import dataclasses
import functools
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vfplan.checks import require_at_least
from vfplan.cli.config import command
from vfplan.data.episode import Episode
from vfplan.data.filling import FillConfig, MakeEpisodes, fill_store, report
from vfplan.data.store import FORMAT_VERSION, StoreMeta
from vfplan.errors import UserError
from vfplan.output.folder import RunDir, package_versions
from vfplan.plan import main as plan
from vfplan.sections import environments

if TYPE_CHECKING:
    from envs import GymConfig, PushConfig
    from vfplan.plan import PlanConfig

PLANNER = "planner"
SETTINGS = ("planner", "cost", "scoring", "control.replan_every", "precision")  # of vfplan.plan, that decide here too

HELP = """
Collect episodes of a scripted policy, or of a planner, into a store of frames, actions and positions.
A killed collection goes on when the same command is run again; more episodes= makes a store grow.

  python -m vfplan.collect env=push episodes=1000 out=data/push
  python -m vfplan.collect env=push_bair policy=bair workers=8
  python -m vfplan.collect env.num_objects=2 env.image_size=32 seed=7 out=data/two
  python -m vfplan.collect env=push policy=planner checkpoint=runs/push/checkpoint out=data/planned
  python -m vfplan.collect env=push policy=planner 'settings="planner.samples=64 cost=pixel"' exploration.noise=0.2
  python -m vfplan.collect -m env=push,push_slip episodes=200
  python -m vfplan.collect env=pusht episodes=2000
  python -m vfplan.collect env=gym env.id=Pusher-v5 out=data/pusher
"""


@dataclass(frozen=True)
class ExplorationConfig:
    """How `policy=planner` differs from a planner that is to succeed."""

    noise: float = 0.1
    """Share of the actions that noise is added to."""
    noise_std: float = 0.3
    """Standard deviation of it, in every component that is not held."""
    goal_actions: int = 15
    """Actions after which a new goal is drawn, at the next planning."""
    goal_reached: float = 0.03
    """Distance (m) of the object from its place below which a new goal is drawn at once."""
    lockstep: int = 8
    """Episodes of a shard that are run side by side."""

    def __post_init__(self) -> None:
        require_at_least(self, noise_std=0, goal_actions=1, goal_reached=0, lockstep=1)
        if not 0 <= self.noise <= 1:
            raise ValueError(f"noise must be a share between 0 and 1; got {self.noise}")


@dataclass(frozen=True)
class CollectConfig(FillConfig):
    """What to collect; the comments in `configs/collect.yaml` say what each key is."""

    env: "PushConfig | GymConfig"
    episodes: int = 1000
    policy: str = "auto"
    checkpoint: str = ""
    settings: str = ""
    exploration: ExplorationConfig = ExplorationConfig()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.episodes < 1:
            raise ValueError(f"episodes must be >= 1, got {self.episodes}")
        for name in ("checkpoint", "settings"):
            if self.policy != PLANNER and getattr(self, name):
                raise ValueError(f"{name}= is for policy={PLANNER}; policy={self.policy} plans with no model")

    @property
    def folder(self) -> Path:
        """Where the store goes."""
        return Path(self.out or f"data/{self.env.name}")


def collect(config: CollectConfig) -> None:
    """Write the episodes that the store at `config.folder` lacks. Raises UserError."""
    run, meta = RunDir(config.run_dir, config), describe(config)
    filled = fill_store(config.folder, meta, _maker(config), config.workers)
    report(filled, meta, run, verb="collect")


def describe(config: CollectConfig) -> StoreMeta:
    """All that decides about the bytes of the store. Raises UserError if the environment or policy cannot be made."""
    import envs

    policy = _policy(config)
    try:
        env = envs.build(config.env)
    except ValueError as error:
        raise UserError(str(error)) from error
    description = {**env.description(), "config": dataclasses.asdict(config.env)}
    env.close()
    packages = ["vfplan", "numpy", "gymnasium" if "id" in description else "mujoco"]
    if policy == PLANNER:
        from vfplan.control import exploration

        description["closed_loop"] = exploration.describe(config, _planning(config))
        packages.append("torch")
    return StoreMeta(
        version=FORMAT_VERSION,
        env=config.env.name,
        episodes=config.episodes,
        shard_episodes=config.shard_episodes,
        length=config.env.length,
        seed=config.seed,
        policy=policy,
        description=description,
        versions=package_versions(tuple(packages)),
    )


def _policy(config: CollectConfig) -> str:
    """The name of what is to act. Raises UserError if there is none such, or it cannot act there."""
    import envs

    if config.policy == PLANNER:
        return PLANNER
    try:
        return envs.policy_name(config.env, config.policy)
    except ValueError as error:
        raise UserError(f"{error}; or {PLANNER}, which plans with a checkpoint") from error


def _planning(config: CollectConfig) -> "PlanConfig":
    """What `vfplan.plan` would plan with. Raises UserError for settings that it has not, or that mean nothing here."""
    try:
        words = shlex.split(config.settings)
    except ValueError as error:
        raise UserError(f"settings: cannot read {config.settings!r}: {str(error).lower()}") from error
    for word in words:
        key = word.partition("=")[0]
        if not any(key == known or key.startswith(f"{known}.") for known in SETTINGS):
            raise UserError(f"settings: expected those of vfplan.plan for {', '.join(SETTINGS)}; got {word!r}")
    try:
        return plan.configuration(words)
    except UserError as error:
        raise UserError(f"settings: {error}") from error


def _maker(config: CollectConfig) -> MakeEpisodes:
    """What makes episodes in a worker process."""
    if config.policy != PLANNER:
        return functools.partial(_episodes, config)
    from vfplan.control import exploration

    return functools.partial(exploration.episodes, config, _planning(config))


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
