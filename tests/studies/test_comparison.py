"""Rows of world models: made by commands, gone on with, and compared on the same tasks."""

import json
from pathlib import Path

import pytest

from tests.commands.test_latent_models import SMALL
from tests.refusal import refused
from vfplan.compare import main
from vfplan.statistics import mcnemar
from vfplan.studies.comparison.settings import CompareConfig
from vfplan.studies.comparison.steps import in_time
from vfplan.studies.comparison.table import Row, table

EVALUATED = (
    "episodes=3 likelihood_steps=2 samples=2 sample_episodes=2 rollout_samples=2 temperature_episodes=2 "
    "temperature_samples=2 detection_steps=2 long_episodes=2 long_steps=31"
)
PLANNED = "num_tasks=2 control.steps=2 planner.samples=8 planner.elites=4 planner.iterations=1"


@pytest.fixture(scope="module")
def made(store, second_store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("compared") / "run"
    trained = " ".join(word for word in SMALL if not word.startswith("device"))
    given = [
        *(f"data={store}", f"heldout={second_store}", "models=[svg_lp,svg_fp]", f"run_dir={folder}"),
        *("device=cpu", "threads=1", "seconds=0.5", f"train='learning.steps=2 {trained}'"),
        *(f"evaluate='{EVALUATED}'", f"plan='env=push {PLANNED}'"),
    ]
    main(given)
    return folder, given


def test_every_model_has_a_line_with_all_numbers(made):
    folder, _ = made
    header, _, first, second = (folder / "table.md").read_text().splitlines()
    assert first.startswith("| svg_lp | ") and second.startswith("| svg_fp | ")
    assert header.count("|") == first.count("|") == second.count("|")
    assert "| elbo |" in first and "| reference | - |" in first and "| 0 : 0 | 1 |" in second
    assert "| - |" not in second


def test_plans_in_time_have_samples_in_proportion(made):
    folder, _ = made
    took = json.loads((folder / "svg_lp" / "plan" / "results.json").read_text())["seconds_per_plan"]
    samples = json.loads((folder / "svg_lp" / "in-time" / "config.json").read_text())["planner"]["samples"]
    assert samples == max(4, round(8 * 0.5 / took))


def test_finished_rows_are_not_made_again(made, tmp_path, capsys):
    folder, given = made
    files = [path for path in sorted(folder.rglob("*.json")) if path.parent != folder and "train" not in path.parts]
    before = {path: path.stat().st_mtime_ns for path in files}
    capsys.readouterr()
    main(given)
    assert {path: path.stat().st_mtime_ns for path in files} == before
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("python -m")]
    assert all(line.startswith("python -m vfplan.train") for line in lines)


def test_rows_of_another_command_are_refused(made, capsys):
    _, given = made
    changed = [word.replace("num_tasks=2", "num_tasks=1") for word in given]
    assert "was made by python -m vfplan.plan" in refused(capsys, main, changed, begun=True)


def test_a_command_that_fails_is_named_with_what_it_said(store, tmp_path, capsys):
    given = [
        f"data={store}",
        "heldout=absent",
        "models=[svg_lp]",
        f"run_dir={tmp_path / 'run'}",
        "train='model.code=-1'",
    ]
    said = refused(capsys, main, given, begun=True)
    assert "vfplan.train" in said and "code 2: error: " in said and (tmp_path / "run/svg_lp/train.log").is_file()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["models=[]"], "models or rows must name one or more"),
        (["rows={svg_prime: 'x=1'}"], "and new; got 'svg_prime'"),
        (["rows={a: steps}"], "rows.a: expected key=value of other keys than"),
        (["plan='seed=1'"], "plan: expected key=value of other keys than"),
    ],
)
def test_settings_that_make_no_sense_are_one_line(given, said, tmp_path, capsys):
    common = ["data=a", "heldout=b", f"run_dir={tmp_path / 'run'}"]
    assert said in refused(capsys, main, [*common, *given])


def test_tasks_that_one_alone_solves_are_counted():
    def row(name, solved):
        tasks = [{"task": task, "solved_5cm": task in solved} for task in range(20)]
        rate = {"rate": 0, "low": 0, "high": 0}
        planned = {"tasks": tasks, "solved_5cm": rate, "seconds_per_plan": 1}
        speed = {"parameters": 1, "frames_per_second": 1, "image_size": 64, "downscale": 4}
        return Row(name, {"seconds": 60}, {"sections": {"rollouts": {}}}, [speed], planned, {}, 0)

    few, many = row("few", {0, 1, 2}), row("many", set(range(1, 12)))
    assert f"| 9 : 1 | {mcnemar(9, 1):.2g} |" in table([few, many]).splitlines()[-1]


def test_without_seconds_there_is_no_second_try():
    assert in_time(CompareConfig("a", "b"), Path("none"), lambda overrides: (8, 4)) is None
