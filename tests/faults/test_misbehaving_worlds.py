"""Environments that misbehave: what they show wrongly is one line, and an episode that fails takes no other with it."""

import json
import os
import time

import numpy as np
import pytest

from envs.gym_env import GymEnv
from envs.push import PushEnv
from tests.faults import bad_worlds
from tests.refusal import refused
from vfplan.benchmark import main as benchmark
from vfplan.collect import main as collect
from vfplan.execution.processes import run_units
from vfplan.plan import main as plan

WRONG = {
    "Nan": "expected an image of uint8 (32, 32, 3), got float64 (32, 32, 3) after 6 actions with seed ",
    "Float": "expected an image of uint8 (32, 32, 3), got float32 (32, 32, 3) after 6 actions with seed ",
    "Shape": "expected an image of uint8 (32, 32, 3), got uint8 (16, 32, 3) after 6 actions with seed ",
    "Reward": "expected a finite reward, got nan after 6 actions with seed ",
}
RAISING = {"Raises": "RuntimeError: the robot is on fire", "Exits": "SystemExit: 7"}
ALL = WRONG | RAISING


def world(fault):
    return ["env=gym", f"env.id={bad_worlds.__name__}:vfplan-bad/{fault}-v0", "env.image_size=16"]


def planned(fault, folder):
    given = ["env.goal_steps=4", "planner=random", "num_tasks=3", "control.steps=8", "gif=false", f"run_dir={folder}"]
    return [*world(fault), *given]


@pytest.mark.parametrize("fault", [*WRONG, *RAISING])
def test_collect_names_episode_and_cause(fault, tmp_path, capsys):
    given = ["env.length=8", "episodes=2", "workers=1", f"out={tmp_path / 'data'}", f"run_dir={tmp_path / 'run'}"]
    message = refused(capsys, collect, [*world(fault), *given], begun=True)
    assert message.startswith(f"env=gym, episode 0: {ALL[fault]}")
    assert not list((tmp_path / "data").glob("shard-*"))


@pytest.mark.parametrize("fault", WRONG)
def test_plan_names_task_and_cause(fault, tmp_path, capsys):
    message = refused(capsys, plan, planned(fault, tmp_path), begun=True)
    assert message.startswith(f"env=gym, task 0: {WRONG[fault]}")


@pytest.mark.parametrize("fault", [*WRONG, *RAISING])
def test_tasks_that_cannot_be_drawn_are_one_line(fault, tmp_path, capsys):
    message = refused(capsys, plan, [*planned(fault, tmp_path), "env.goal_steps=10"])
    assert ALL[fault] in message and "task 0" in message


def failing(monkeypatch, kind, places, error):
    """Let `step` of these instances of an environment, counted by their resets, raise at its sixth action."""
    reset, step, count = kind.reset, kind.step, iter(range(10**6))

    def resetting(self, **given):
        self.number, self.taken = next(count), 0
        return reset(self, **given)

    def stepping(self, action):
        self.taken += 1
        if self.number in places and self.taken == 6:
            raise error
        return step(self, action)

    monkeypatch.setattr(kind, "reset", resetting)
    monkeypatch.setattr(kind, "step", stepping)


@pytest.mark.parametrize("error", [RuntimeError("broken"), SystemExit("gone")], ids=["raises", "exits"])
def test_a_failed_task_is_listed_and_left_out(error, tmp_path, monkeypatch, capsys):
    given = ["env=push", "planner=random", "num_tasks=4", "control.steps=8", "gif=false"]
    plan([*given, f"run_dir={tmp_path / 'whole'}"])
    failing(monkeypatch, PushEnv, {2}, error)
    with pytest.raises(SystemExit) as caught:
        plan([*given, f"run_dir={tmp_path / 'failed'}"])
    assert caught.value.code == 3
    whole, some = (json.loads((tmp_path / name / "results.json").read_text()) for name in ("whole", "failed"))
    kind = type(error).__name__
    assert some["failed_tasks"] == [{"task": 2, "step": 5, "error": f"{kind}: {error}"}]
    assert some["num_tasks"] == 3 and [row["task"] for row in some["tasks"]] == [0, 1, 3]
    assert [row["final_cm"] for row in some["tasks"]] == [whole["tasks"][task]["final_cm"] for task in (0, 1, 3)]
    printed = capsys.readouterr()
    assert f"task   2: failed at action 5: {kind}: {error}" in printed.out + printed.err
    assert "left out                1 of 4 tasks, which failed" in printed.out


def test_a_benchmark_leaves_failed_tasks_out_of_all_rows(tmp_path, monkeypatch, capsys):
    failing(monkeypatch, PushEnv, {1}, RuntimeError("broken"))  # the second task of the first row
    with pytest.raises(SystemExit) as caught:
        benchmark(["env=push", "num_tasks=4", "steps=6", "models=oracle", "planners=random", f"run_dir={tmp_path}"])
    assert caught.value.code == 3
    rows = json.loads((tmp_path / "benchmark.json").read_text())["rows"]
    assert {row["num_tasks"] for row in rows} == {3}
    assert "random, task 1, action 5: RuntimeError: broken" in capsys.readouterr().out


def test_actions_beyond_the_bounds_are_brought_inside():
    env = GymEnv(bad_worlds.config("Good"))
    env.reset(seed=0)
    env.step(np.array([5.0, -5.0]))  # the environment itself asserts that it is given actions of its space
    for action in ([np.nan, 0.0], [0.0], [0.0, np.inf]):
        with pytest.raises(ValueError, match="2 finite numbers"):
            env.step(np.array(action))


def hangs(unit, report):
    report()
    if unit == 1:
        time.sleep(600)
    return unit, os.getpid()


def test_a_worker_that_hangs_is_ended():
    with pytest.raises(Exception, match=r"4 worker processes ended early, the last gave no sign for 1 s"):
        list(run_units(hangs, [0, 1, 2], 2, lambda count: None, patience=1))
