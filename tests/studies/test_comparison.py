"""Rows of world models: made by commands, gone on with, and compared on the same tasks."""

import json
from types import SimpleNamespace

import pytest

from tests.commands.test_latent_models import SMALL
from tests.refusal import refused
from vfplan.compare import main
from vfplan.statistics import mcnemar
from vfplan.studies.comparison.settings import CompareConfig
from vfplan.studies.comparison.steps import samples_in_time
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


def test_a_command_that_fails_is_named_with_what_it_said(store, second_store, tmp_path, capsys):
    common = [f"data={store}", f"heldout={second_store}", "models=[svg_lp]", f"run_dir={tmp_path / 'run'}"]
    said = refused(capsys, main, [*common, "train='validation_episodes=100'"], begun=True)
    assert "vfplan.train" in said and "code 2: error: " in said and (tmp_path / "run/svg_lp/train.log").is_file()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["models=[svg_lp,svg_lpp]"], "unknown model 'svg_lpp'; did you mean 'svg_lp'?"),
        (["train='model.code=-1'"], "model.code must be in [1, 16384]"),
        (["evaluate='sample=2'"], "unknown key 'sample'"),
        (["plan='env=psh'"], "unknown env 'psh'"),
        (["heldout=absent"], "absent"),
        (["seconds=1", "plan='planner=zero'"], "seconds= needs a planner with samples and elites"),
        (["models=[]"], "models or rows must name one or more"),
        (["models=[svg_lp,svg_lp]"], "a name stands twice in svg_lp, svg_lp"),
        (["rows={svg_lp: 'x=1'}"], "and new; got 'svg_lp'"),
        (["rows={a: steps}"], "rows.a: expected key=value separated by spaces, as for vfplan.train; got 'steps'"),
        (["plan='seed=1'"], "are said by the comparison; got 'seed=1'"),
        (["plan='x'"], "plan: expected key=value separated by spaces, as for vfplan.plan; got 'x'"),
    ],
)
def test_what_cannot_be_is_one_line_before_anything_is_made(store, second_store, given, said, tmp_path, capsys):
    """Also what is wrong with the last row, or with the last of its commands."""
    common = [f"data={store}", f"heldout={second_store}", "models=[svg_lp]", f"run_dir={tmp_path / 'run'}"]
    assert said in refused(capsys, main, [*common, *given])
    assert not (tmp_path / "run").exists()


def test_tasks_that_one_alone_solves_are_counted():
    def row(name, solved):
        tasks = [{"task": task, "solved_5cm": task in solved} for task in range(20)]
        rate = {"rate": 0, "low": 0, "high": 0}
        planned = {"tasks": tasks, "solved_5cm": rate, "seconds_per_plan": 1}
        speed = {"parameters": 1, "frames_per_second": 1, "image_size": 64, "downscale": 4}
        return Row(name, {"seconds": 60}, {"sections": {"rollouts": {}}}, [speed], planned, {}, 0)

    few, many = row("few", {0, 1, 2}), row("many", set(range(1, 12)))
    assert f"| 9 : 1 | {mcnemar(9, 1):.2g} |" in table([few, many]).splitlines()[-1]


@pytest.mark.parametrize(
    ("took", "samples", "elites"), [(1.0, 64, 12), (4.0, 16, 3), (1e6, 4, 2), (1e-9, 10_000, 1875)]
)
def test_a_plan_in_time_has_samples_in_proportion_within_bounds(tmp_path, took, samples, elites):
    (tmp_path / "plan").mkdir()
    (tmp_path / "plan" / "results.json").write_text(json.dumps({"seconds_per_plan": took}))
    planner = SimpleNamespace(samples=32, elites=6)
    assert samples_in_time(CompareConfig("a", "b", seconds=2), tmp_path, planner) == (samples, elites)
