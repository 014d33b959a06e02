"""What a command does unless told otherwise is what its dataclasses do: YAML files and Python agree."""

import dataclasses

import pytest

import envs
from envs import gym_env
from tests.commands.every_setting import GIVEN, main_of
from vfplan import collect

GROUPS = [
    *(("plan", f"planner={name}") for name in ("cem", "gradient", "mppi", "shooting", "random", "zero")),
    *(("plan", f"cost={name}") for name in ("chroma", "goal_image", "designated_pixel", "latent", "pixel")),
]
# What YAML says by itself: names, folders of runs, what an audit compares, and what an environment or a model decides.
OF_YAML = {"name", "run_dir", "action_dim", "costs", "learning", "env", "out"}


def differing(value, path=""):
    """The dotted names of fields whose value is not the default of their dataclass."""
    found = []
    for field in dataclasses.fields(value):
        held, name = getattr(value, field.name), f"{path}{field.name}"
        if field.name in OF_YAML:
            continue
        if dataclasses.is_dataclass(held):
            found += differing(held, f"{name}.")
        elif field.default is not dataclasses.MISSING and held != field.default:
            found.append(f"{name}={held!r}, not {field.default!r}")
    return found


@pytest.mark.parametrize(("command", "given"), [*GIVEN.items(), *((name, [more]) for name, more in GROUPS)])
def test_yaml_and_dataclass_agree(command, given):
    assert differing(main_of(command).configuration(given)) == []


@pytest.mark.parametrize("name", [*envs.NAMES, *gym_env.PRESETS])
def test_an_environment_is_its_preset(name):
    assert collect.main.configuration([f"env={name}"]).env == envs.CONFIGS[name]
