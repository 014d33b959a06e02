"""Every number that has a range is refused beyond it, in one line and before any work."""

import dataclasses

import pytest

import planners
from tests.refusal import refused
from vfplan.control.scoring import FinalistsConfig, ScoringConfig
from vfplan.control.settings import ControlConfig
from vfplan.errors import UserError
from vfplan.models.recipe import LearningConfig
from vfplan.models.videoflow.architecture import VideoFlowConfig
from vfplan.plan import main as plan
from vfplan.schema import from_mapping
from vfplan.train import main as train

CONFIGS = [
    *map(planners.config_class, planners.NAMES),
    *(ScoringConfig, FinalistsConfig, ControlConfig, LearningConfig, VideoFlowConfig),
]


def cases():
    for config in CONFIGS:
        for field in dataclasses.fields(config):
            if "range" in field.metadata:
                yield config, field.name, field.metadata["range"], "tuple" in str(field.type)


def beyond(low, high):
    values = [low - 1, -1e30, float("nan")]
    return values if high == float("inf") else [*values, high * 2 + 1, 1e30]


@pytest.mark.parametrize(("config", "name", "bounds", "several"), cases(), ids=lambda value: str(value)[:40])
def test_a_number_beyond_its_range_is_one_line(config, name, bounds, several):
    for value in beyond(*bounds):
        with pytest.raises(UserError, match=rf"^{name}(\[0\])? must be ") as caught:
            from_mapping(config, {name: [value] if several else value})
        assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("main", "given"),
    [
        (plan, "planner.samples=1e30"),
        (plan, "planner.horizon=3000"),
        (plan, "planner.init_std=.nan"),
        (plan, "scoring.temperature=.nan"),
        (plan, "scoring.finalists.count=-1"),
        (plan, "threads=4096"),
        (plan, "seed=-1"),
        (train, "learning.ema=.nan"),
        (train, "learning.batch=[1000000000,1,1]"),
        (train, "model.channels=0"),
    ],
)
def test_commands_refuse_it_before_any_work(main, given, capsys):
    message = refused(capsys, main, [given] if main is plan else ["data=nowhere", given])
    assert message.startswith(given.partition("=")[0]) and " must be " in message
