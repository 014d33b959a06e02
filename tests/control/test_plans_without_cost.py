"""Where no candidate has a finite cost nothing moves, it is counted, and nothing but that is an error."""

import json

import pytest
import torch

from tests.refusal import refused
from vfplan.costs.pixel import Pixel
from vfplan.plan import main as plan

FEW = ["env=push", "model=oracle", "cost=pixel", "num_tasks=2", "control.steps=4", "gif=false", "device=cpu"]
FEW += ["planner.samples=6", "planner.elites=2", "planner.iterations=1", "planner.horizon=3"]


def without_numbers(monkeypatch, rows):
    """Let the costs of these problems be NaN."""
    true = Pixel.__call__

    def call(self, frames, actions, goal):
        costs = true(self, frames, actions, goal)
        costs[rows] = torch.nan
        return costs

    monkeypatch.setattr(Pixel, "__call__", call)


def test_a_task_without_numbers_stands_still_and_is_counted(tmp_path, monkeypatch, capsys):
    without_numbers(monkeypatch, [1])
    plan([*FEW, f"run_dir={tmp_path}"])
    results = json.loads((tmp_path / "results.json").read_text())
    assert (results["plans"], results["rejected_plans"]) == (4, 2)
    assert [task["rejected_plans"] for task in results["tasks"]] == [0, 2]
    still = results["tasks"][1]
    assert still["final_cm"] == pytest.approx(still["start_cm"], abs=1e-3)
    assert "2 of 4 plans, which stood still" in capsys.readouterr().out


def test_no_numbers_at_all_are_an_error(tmp_path, monkeypatch, capsys):
    without_numbers(monkeypatch, [0, 1])
    message = refused(capsys, plan, [*FEW, f"run_dir={tmp_path}"], begun=True)
    assert message.startswith("none of 4 plans had a finite cost")
    assert json.loads((tmp_path / "results.json").read_text())["rejected_plans"] == 4
