"""Collects what a store lacks, with worker processes that each write whole shards."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from vfplan.collection.settings import PLANNER, CollectConfig
from vfplan.data.episode import Episode
from vfplan.data.filling import MakeEpisodes, fill_store, report
from vfplan.data.records import FORMAT_VERSION, StoreMeta
from vfplan.errors import UserError
from vfplan.output.folder import RunDir, package_versions
from vfplan.overrides import split_overrides

if TYPE_CHECKING:
    from vfplan.control.settings import PlanConfig

SETTINGS = ("planner", "cost", "scoring", "control.replan_every", "precision")  # of vfplan.plan, that decide here too

Configure = Callable[[Sequence[str]], "PlanConfig"]
"""From overrides of `vfplan.plan` to its settings."""


def run(config: CollectConfig, configure: Configure) -> None:
    """Write the episodes that the store at `config.folder` lacks. Raises UserError."""
    folder, meta = RunDir(config.run_dir, config), describe(config, configure)
    filled = fill_store(config.folder, meta, _maker(config, configure), config)
    report(filled, meta, folder, verb="collect")


def describe(config: CollectConfig, configure: Configure) -> StoreMeta:
    """All that decides about the bytes of the store. Raises UserError if the environment or policy cannot be made."""
    import envs

    policy = _policy(config)
    world = envs.world(config.env)
    try:
        description = {**world.description, "config": dataclasses.asdict(config.env)}
    except ValueError as error:
        raise UserError(str(error)) from error
    packages = ["vfplan", "numpy", *world.packages]
    if policy == PLANNER:
        from vfplan.collection import exploration

        description["closed_loop"] = exploration.describe(config, _planning(config, configure))
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


def _planning(config: CollectConfig, configure: Configure) -> PlanConfig:
    """What `vfplan.plan` would plan with. Raises UserError for settings that it has not, or that mean nothing here."""
    words = split_overrides(config.settings, "settings")
    for word in words:
        key = word.partition("=")[0]
        if not any(key == known or key.startswith(f"{known}.") for known in SETTINGS):
            raise UserError(f"settings: expected those of vfplan.plan for {', '.join(SETTINGS)}; got {word!r}")
    try:
        return configure(words)
    except UserError as error:
        raise UserError(f"settings: {error}") from error


def _maker(config: CollectConfig, configure: Configure) -> MakeEpisodes:
    """What makes episodes in a worker process."""
    if config.policy != PLANNER:
        return functools.partial(_episodes, config)
    from vfplan.collection import exploration

    return functools.partial(exploration.episodes, config, _planning(config, configure))


def _episodes(config: CollectConfig, indices: range) -> Iterator[Episode]:
    """The episodes of these numbers, run in a worker process."""
    import envs
    from envs import policies
    from envs.base import WrongObservationError

    env, policy = envs.world(config.env).build(), policies.make(envs.policy_name(config.env, config.policy))
    try:
        for index in indices:
            try:
                episode = policies.rollout_episode(env, policy, config.seed, index, config.env.length)
            except (Exception, SystemExit) as error:
                kind = "" if isinstance(error, WrongObservationError) else f"{type(error).__name__}: "
                raise UserError(f"env={config.env.name}, episode {index}: {kind}{error}") from error
            yield Episode(**episode)
    finally:
        env.close()
