"""A model in one file of its own, which nothing of vfplan knows, goes through all commands."""

import pytest

from envs.scene import PushConfig
from planners import ShootingConfig
from tests.commands.shift_model import FAMILY, Shift, ShiftConfig
from vfplan.control import run as planning
from vfplan.control.scoring import ScoringConfig
from vfplan.control.settings import ControlConfig, PlanConfig
from vfplan.costs import PixelConfig
from vfplan.models.checkpoint import load_checkpoint
from vfplan.models.recipe import LearningConfig
from vfplan.models.registry import Family, register
from vfplan.studies.offline import battery
from vfplan.studies.offline.settings import EvaluateConfig
from vfplan.training import run as training
from vfplan.training.settings import TrainConfig


def test_a_model_of_your_own_trains_is_tested_and_plans(store, tmp_path):
    register("shift", FAMILY)
    recipe = LearningConfig(steps=12, batch=(4,), learning_rate=0.05, warmup=1, ema=0.5, imagined_steps=0)
    run, checkpoint = str(tmp_path / "run"), str(tmp_path / "run" / "checkpoint")
    training.run(TrainConfig(str(store), ShiftConfig(), recipe, validation_episodes=3, log_every=1, run_dir=run))
    assert isinstance(load_checkpoint(tmp_path / "run" / "checkpoint").model, Shift)
    sizes = {"rollout_samples": 2, "temperature_samples": 2, "detection_steps": 2, "long_steps": 4}
    battery.run(EvaluateConfig(data=str(store), checkpoint=checkpoint, run_dir=str(tmp_path / "tested"), **sizes))
    settings = {"scoring": ScoringConfig(downscale=8), "control": ControlConfig(steps=2), "num_tasks": 1}
    planner = ShootingConfig(samples=3, horizon=2)
    settings |= {"checkpoint": checkpoint, "run_dir": str(tmp_path / "planned")}
    planning.run(PlanConfig(env=PushConfig(), planner=planner, cost=PixelConfig(), **settings))
    for left in ("run/metrics.jsonl", "tested/likelihood.json", "planned/results.json", "planned/episodes.gif"):
        assert (tmp_path / left).is_file()


def test_a_name_that_is_taken_is_refused():
    with pytest.raises(ValueError, match="'videoflow' already"):
        register("videoflow", Family(ShiftConfig, Shift, FAMILY.objective))
