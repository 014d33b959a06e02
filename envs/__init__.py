"""The world: MuJoCo pushing environments, and any other of Gymnasium's. numpy, gymnasium and mujoco only."""

import difflib
from dataclasses import fields, replace
from typing import Any

import gymnasium

from envs import gym_env, policies
from envs.gym_env import GymConfig, GymEnv
from envs.push import PushEnv
from envs.scene import PRESETS, PushConfig
from envs.simulator import BatchSimulator

__all__ = [
    "CONFIGS",
    "NAMES",
    "BatchSimulator",
    "GymConfig",
    "GymEnv",
    "PushConfig",
    "PushEnv",
    "build",
    "config",
    "default_policy",
    "make",
    "policy_name",
]

NAMES = tuple(PRESETS)  # of the pushing environments
CONFIGS: dict[str, PushConfig | GymConfig] = {**PRESETS, **gym_env.PRESETS}


def build(config: PushConfig | GymConfig, *, images: bool = True) -> PushEnv | GymEnv:
    """Build the environment of a configuration; `images=False` draws none while it runs.

    Raises:
        ValueError: if a registered environment lacks what vfplan needs.
    """
    return GymEnv(config, images=images) if isinstance(config, GymConfig) else PushEnv(config, images=images)


def default_policy(config: PushConfig | GymConfig) -> str:
    """Return the name of the policy that collects data in an environment unless another is asked for."""
    return "smooth" if isinstance(config, GymConfig) else "mixed"


def policy_name(config: PushConfig | GymConfig, wanted: str = "auto") -> str:
    """Return the name of the policy that is to act: the default for "auto".

    Raises:
        ValueError: if there is none such, or it cannot act there.
    """
    usual = default_policy(config)
    name = usual if wanted == "auto" else wanted
    policies.make(name)
    if isinstance(config, GymConfig) and name != usual:
        raise ValueError(f"policy={name} needs a hand and objects, which env={config.name} has not; use {usual}")
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
