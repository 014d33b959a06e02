"""Every number that a command is told has a range: `--help` says it, and what is beyond is one line before any work."""

import copy
import functools
import math
import random
import re

import pytest

from tests.commands.every_setting import choices, composed, main_of, settings
from tests.refusal import refused
from vfplan.checks import range_text
from vfplan.errors import UserError
from vfplan.plan import main as plan
from vfplan.schema import from_mapping
from vfplan.train import main as train

CASES = list(choices())


def numeric(field):
    return re.search(r"\b(int|float)\b", str(field.type)) is not None


def shaped(field, value, number):
    """A number as a setting has it: alone, or where a sequence or a mapping has numbers."""
    if "dict" in str(field.type):
        return {"lift": number}
    if "tuple" in str(field.type):
        return [number] * len(value or (0, 0))
    return number


def outside(rng, low, high):
    """A number that is not in the range, or none at all."""
    far = 10.0 ** rng.uniform(0, 25)
    choices = [low - far, low - 1, -1e30, math.nan]
    return rng.choice(choices if high == math.inf else [*choices, high + far, high + 1, 1e30, math.inf])


def inside(rng, field, low, high):
    high = min(high, 1e6 * max(1, abs(low)))
    if "float" in str(field.type):
        return rng.choice([low, high, rng.uniform(low, high)])
    return rng.choice([low, math.floor(high), rng.randint(math.ceil(low), math.floor(high))])


def taken(command, values, key, value):
    """What becomes of a configuration with this value; None, or the message that refuses it."""
    main, values = main_of(command), copy.deepcopy(values)
    *sections, name = key.split(".")
    functools.reduce(dict.__getitem__, sections, values)[name] = value
    try:
        from_mapping(main.schema, values, sections=main.sections)
    except UserError as error:
        return str(error)


@pytest.mark.parametrize(("command", "given"), CASES)
def test_help_says_the_range_of_every_number(command, given):
    for key, field, _, help in settings(command, given):
        if numeric(field):
            assert "range" in field.metadata, key
            assert help.endswith(f" {range_text(field.metadata['range'])}"), key


@pytest.mark.parametrize(("command", "given"), CASES)
def test_numbers_are_taken_or_refused_in_one_line(command, given):
    rng, values = random.Random(f"{command} {given}"), composed(command, given)
    for key, field, value, _ in settings(command, given) * 5:
        if "range" in field.metadata:
            low, high = field.metadata["range"]
            beyond = shaped(field, value, outside(rng, low, high))
            message = taken(command, values, key, beyond)
            assert message and message.startswith(key) and len(message) < 200, (key, beyond)
            within = shaped(field, value, inside(rng, field, low, high))
            message = taken(command, values, key, within) or ""  # settings may need each other
            assert "\n" not in message and " must be in " not in message, (key, within)


@pytest.mark.parametrize(
    ("main", "given"),
    [
        (plan, "env.image_size=-1"),
        (plan, "planner.samples=1e30"),
        (plan, "planner.horizon=3000"),
        (plan, "planner.init_std=.nan"),
        (plan, "cost.reach=.nan"),
        (plan, "scoring.temperature=.nan"),
        (plan, "scoring.finalists.count=-1"),
        (plan, "threads=4096"),
        (plan, "seed=-1"),
        (train, "learning.ema=.nan"),
        (train, "learning.batch=[1000000000,1,1]"),
        (train, "learning.adam=[1,1,1]"),
    ],
)
def test_commands_refuse_it_before_any_work(main, given, capsys):
    message = refused(capsys, main, [given] if main is plan else ["data=nowhere", given])
    assert message.startswith(given.partition("=")[0]) and " must be " in message


@pytest.mark.parametrize(
    ("main", "given"), [(plan, "planner.action_dim=1"), (train, "model.channels=0"), (train, "model.image_size=32")]
)
def test_what_environment_or_data_decide_is_no_setting(main, given, capsys):
    message = refused(capsys, main, [given] if main is plan else ["data=nowhere", given])
    assert f"unknown key '{given.partition('=')[0]}'" in message
