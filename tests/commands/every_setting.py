"""Every setting of every command: what `--help` says of it, and the range of its field."""

import contextlib
import dataclasses
import io
import re
from importlib import import_module

from omegaconf import OmegaConf

GIVEN = {
    "audit": [],
    "benchmark": [],
    "check": [],
    "card": ["checkpoint=push"],
    "collect": [],
    "compare": ["data=somewhere", "heldout=elsewhere"],
    "convert": ["source=somewhere"],
    "doctor": [],
    "evaluate": ["data=somewhere"],
    "generate": [],
    "monitor": [],
    "plan": [],
    "speed": [],
    "predictability": [],
    "report": ["runs=somewhere"],
    "train": ["data=somewhere"],
    "data inspect": ["data=somewhere"],
    "data preview": ["data=somewhere"],
    "data merge": ["data=[a,b]", "out=c"],
    "data split": ["data=somewhere"],
    "data import": ["source=somewhere", "format=swm"],
    "data export": ["data=somewhere", "format=swm"],
}
"""The commands, and what they must be given."""

SHARED = {"env", "planner", "cost"}
"""Groups that are gone through for `plan` alone; the other commands take them as they come."""


def main_of(command):
    """The `main` of a command."""
    name, _, verb = command.partition(" ")
    return import_module("vfplan.data.__main__").VERBS[verb] if verb else import_module(f"vfplan.{name}").main


def choices():
    """Each command, once for every option of each of its own groups."""
    for command, given in GIVEN.items():
        options = main_of(command).groups()
        options.pop("learning", None)  # comes with the model
        own = {group: names for group, names in options.items() if command == "plan" or group not in SHARED}
        for group, names in own.items():
            yield from ((command, [*given, f"{group}={name}"]) for name in names)
        if not own:
            yield command, given


def composed(command, given):
    """The values that the YAML files give."""
    return OmegaConf.to_container(main_of(command)._compose(given), resolve=True)


def said(command, given):
    """What `--help` says of each key."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        main_of(command)([*given, "--help"])
    lines = printed.getvalue().partition("keys and their values here:\n")[2].partition("\n\n")[0].splitlines()
    found = [re.fullmatch(r"  ([\w.]+)=(?:\S*|\[.*?\]|\{.*?\}) *(?: (.*))?", line) for line in lines]
    return {match[1]: match[2] or "" for match in found}


def fields(config, path=""):
    """Every field of a configuration that is no section, by dotted key, and its value."""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            yield from fields(value, f"{path}{field.name}.")
        else:
            yield f"{path}{field.name}", field, value


def settings(command, given):
    """(key, field, value, help) of every setting."""
    helps = said(command, given)
    config = main_of(command).configuration(given)
    return [(key, field, value, helps[key]) for key, field, value in fields(config) if key in helps]
