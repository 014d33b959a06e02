"""A model and an environment, each in one file that nothing of vfplan knows, go through all commands."""

import json
from pathlib import Path

import pytest

import envs
from envs.scene import PushConfig
from examples.own_environment import DiscConfig, DiscWorld
from examples.own_model import FAMILY, Shift, ShiftConfig
from planners import CEMConfig, ShootingConfig
from vfplan import plan
from vfplan.collection import run as collection
from vfplan.collection.settings import CollectConfig
from vfplan.control import run as planning
from vfplan.control.scoring import ScoringConfig
from vfplan.control.settings import ControlConfig, PlanConfig
from vfplan.costs import PixelConfig
from vfplan.errors import UserError
from vfplan.models.checkpoint import load_checkpoint
from vfplan.models.recipe import LearningConfig
from vfplan.models.registry import Family, register
from vfplan.sections import plan_command
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


def test_an_environment_of_your_own_is_collected_learned_and_planned_in(tmp_path):
    data, run, planned = (str(tmp_path / name) for name in ("data", "run", "planned"))
    env = DiscConfig(image_size=32, length=8)
    collection.run(CollectConfig(env=env, episodes=8, out=data, workers=1, run_dir=data), plan.main.configuration)
    register("shift_disc", FAMILY)
    model = ShiftConfig(name="shift_disc", image_size=32, action_dim=2)
    recipe = LearningConfig(steps=4, batch=(4,), warmup=1, ema=0.5, imagined_steps=0)
    training.run(TrainConfig(data, model, recipe, validation_episodes=3, run_dir=run))
    settings = {"scoring": ScoringConfig(downscale=4), "control": ControlConfig(steps=4), "num_tasks": 2}
    settings |= {"checkpoint": f"{run}/checkpoint"}
    planner, cost = CEMConfig(samples=8, iterations=2, horizon=4), PixelConfig()
    planning.run(PlanConfig(env=env, planner=planner, cost=cost, run_dir=planned, **settings))
    tasks = json.loads((tmp_path / "planned" / "results.json").read_text())["tasks"]
    assert len(tasks) == 2 and all("distance" in task for task in tasks)


def test_the_next_command_names_where_one_can_plan_alone():
    assert plan_command("disc", {}, Path("run")) == "python -m vfplan.plan env=disc checkpoint=run"
    assert plan_command("gym", {"id": "Pusher-v5"}, Path("run")).endswith("env=gym env.id=Pusher-v5 checkpoint=run")
    assert plan_command("bair", {}, Path("run")) is None


def test_a_name_that_is_taken_is_refused():
    with pytest.raises(ValueError, match="'videoflow' already"):
        register("videoflow", Family(ShiftConfig, Shift, FAMILY.objective))
    with pytest.raises(ValueError, match="'push' already"):
        envs.register(DiscConfig(name="push"), DiscWorld)


def test_a_family_that_is_asked_for_must_be_the_checkpoints(run, tmp_path):
    register("shift", FAMILY)
    config = plan.main.configuration([f"checkpoint={run / 'checkpoint'}", "model=shift", f"run_dir={tmp_path / 'out'}"])
    with pytest.raises(UserError, match="holds a model of the family videoflow; this run has model=shift"):
        planning.run(config)
