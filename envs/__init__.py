"""The world: MuJoCo pushing environments, and any other of Gymnasium's. numpy, gymnasium and mujoco only."""

import difflib
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import gymnasium

import envs.loading  # noqa: F401 (first, for the others import mujoco)
from envs import gym_env, policies
from envs.base import EnvConfig, Tasks, World
from envs.gym_env import GymConfig, GymEnv
from envs.push import PushEnv
from envs.scene import PRESETS, PushConfig
from envs.simulator import BatchSimulator
from envs.worlds import GymWorld, PushWorld

__all__ = [
    "CONFIGS",
    "NAMES",
    "BatchSimulator",
    "EnvConfig",
    "GymConfig",
    "GymEnv",
    "PushConfig",
    "PushEnv",
    "Tasks",
    "World",
    "arguments",
    "config",
    "make",
    "policy_name",
    "register",
    "world",
]

NAMES = tuple(PRESETS)  # of the pushing environments
CONFIGS: dict[str, EnvConfig] = {**PRESETS, **gym_env.PRESETS}
WORLDS: dict[type[EnvConfig], type[World[Any]]] = {PushConfig: PushWorld, GymConfig: GymWorld}


def register(config: EnvConfig, made_by: type[World[Any]]) -> None:
    """Add an environment to those that commands know by name; where your module is imported, so in workers too.

    Raises:
        ValueError: if the name is taken by another.
    """
    if CONFIGS.get(config.name, config) != config:
        raise ValueError(f"there is an environment {config.name!r} already")
    CONFIGS[config.name], WORLDS[type(config)] = config, made_by


def world(config: EnvConfig) -> World[Any]:
    """Return the environment that a configuration describes, not yet built."""
    return WORLDS[type(config)](config)


def arguments(name: str, description: Mapping[str, Any]) -> str | None:
    """Return what chooses, on a command line, the environment that a data set describes; None if there is none such."""
    config = CONFIGS.get(name)
    if isinstance(config, GymConfig):
        config = replace(config, id=str(description.get("id", config.id)))
    return None if config is None else world(config).arguments


def policy_name(config: EnvConfig, wanted: str = "auto") -> str:
    """Return the name of the policy that is to act: the usual one for "auto".

    Raises:
        ValueError: if there is none such, or it cannot act there.
    """
    known = world(config).policies
    name = known[0] if wanted == "auto" else wanted
    policies.make(name)
    if name not in known:
        raise ValueError(
            f"policy={name} needs a hand and objects, which env={config.name} has not; use {', '.join(known)}"
        )
    return name


def config(name: str, **overrides: Any) -> PushConfig:
    """Return the preset `name` with some of its fields replaced."""
    if name not in PRESETS:
        raise ValueError(f"no environment {name!r}; there are {', '.join(NAMES)}{_nearest(name, list(NAMES))}")
    known = [field.name for field in fields(PushConfig)]
    for key in overrides:
        if key not in known:
            raise ValueError(f"PushConfig has no field {key!r}; it has {', '.join(known)}{_nearest(key, known)}")
    return replace(PRESETS[name], **overrides)


def make(name: str, **overrides: Any) -> PushEnv:
    """Build the environment `name`; overrides are fields of PushConfig, such as image_size=128."""
    return PushEnv(config(name, **overrides))


def gymnasium_id(name: str) -> str:
    """Return the id under which gymnasium.make knows a preset: push_bair is vfplan/PushBair-v0."""
    return f"vfplan/{''.join(part.capitalize() for part in name.split('_'))}-v0"


def _nearest(name: str, known: list[str]) -> str:
    found = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {found[0]}?)" if found else ""


for _name in NAMES:
    if gymnasium_id(_name) not in gymnasium.registry:
        gymnasium.register(gymnasium_id(_name), entry_point="envs.push:PushEnv", kwargs={"config": PRESETS[_name]})
