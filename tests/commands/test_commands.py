"""The commands, one after the other, as a user runs them."""

import base64
import contextlib
import io
import json
import re
import signal

import numpy as np
import pytest
import torch

from tests.commands.tiny import TINY
from vfplan.control.search_recorder import CHEAPEST
from vfplan.control.searches import read_searches
from vfplan.data.store import EpisodeStore
from vfplan.evaluate import main as evaluate
from vfplan.models.checkpoint import load_checkpoint
from vfplan.plan import main as plan
from vfplan.studies.offline.battery import _held_out
from vfplan.train import main as train
from vfplan.training.learner import Learner

QUICK = [
    "num_tasks=2",
    "control.steps=4",
    "planner.samples=4",
    "planner.elites=2",
    "planner.iterations=2",
    "device=cpu",
]

FEW = [
    "rollout_samples=2",
    "temperatures=[0.5]",
    "temperature_samples=2",
    "detection_steps=2",
    "long_steps=30",
    "device=cpu",
]


def metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_training_leaves_metrics_a_picture_a_state_and_a_checkpoint(run):
    rows = metrics(run)
    assert [row["step"] for row in rows if "bits_per_dim" in row] == [1, 2, 3, 4]
    assert [row["step"] for row in rows if "validation/bits_per_dim" in row] == [2, 4]
    assert (run / "validation.png").stat().st_size > 1000 and (run / "checkpoint" / "state.pt").is_file()
    checkpoint = load_checkpoint(run / "checkpoint")
    assert checkpoint.environment["name"] == "push"
    assert checkpoint.training["steps"] == 4 and checkpoint.training["data"]["episodes"] == 8


@pytest.mark.parametrize(("received", "code"), [("SIGTERM", 143), ("SIGUSR1", 143), ("SIGINT", 130)])
def test_the_same_command_goes_on_where_training_stopped(store, run, tmp_path, monkeypatch, received, code):
    true = Learner.step

    def step(self, clip):
        if self.steps_done == 1:
            signal.raise_signal(getattr(signal, received))
        return true(self, clip)

    monkeypatch.setattr(Learner, "step", step)
    with pytest.raises(SystemExit) as caught:
        train([f"data={store}", f"run_dir={tmp_path / 'run'}", *TINY])
    assert caught.value.code == code
    train([f"data={store}", f"run_dir={tmp_path / 'run'}", *TINY])
    assert [row["step"] for row in metrics(tmp_path / "run") if "bits_per_dim" in row] == [1, 2, 3, 4]
    resumed, whole = load_checkpoint(tmp_path / "run" / "checkpoint"), load_checkpoint(run / "checkpoint")
    assert resumed.sha256 == whole.sha256


def test_a_model_that_is_told_of_the_hand_is_tested_and_plans(store, run, tmp_path):
    begun = ["hand=told", "model.past_frames=4", "learning.steps=1", f"init={run / 'checkpoint'}"]
    train([f"data={store}", f"run_dir={tmp_path / 'run'}", *TINY, *begun])
    told = f"checkpoint={tmp_path / 'run' / 'checkpoint'}"
    assert load_checkpoint(tmp_path / "run" / "checkpoint").model.config.hand.action_scale == 0.05
    plan(["env=push", told, f"run_dir={tmp_path / 'plan'}", *QUICK])
    assert (tmp_path / "plan" / "results.json").is_file()
    evaluate([f"data={store}", told, f"run_dir={tmp_path / 'tested'}", *FEW])
    assert (tmp_path / "tested" / "index.html").is_file()


def test_training_can_start_from_a_checkpoint(store, run, tmp_path):
    begun = [f"data={store}", f"init={run / 'checkpoint'}", f"run_dir={tmp_path / 'run'}"]
    # Settings of the model that are not given are those of the checkpoint, however small it is.
    learning = [setting for setting in TINY if not setting.startswith("model.")]
    train([*begun, *learning, "learning.steps=1", "learning.learning_rate=1e-12"])
    before, after = (load_checkpoint(folder / "checkpoint").model.state_dict() for folder in (run, tmp_path / "run"))
    for name, value in before.items():
        torch.testing.assert_close(after[name], value)


def test_training_can_start_from_a_shorter_memory(store, run, tmp_path):
    begun = [f"data={store}", f"init={run / 'checkpoint'}", f"run_dir={tmp_path / 'run'}", "model.past_frames=5"]
    learning = [setting for setting in TINY if not setting.startswith("model.")]
    train([*begun, *learning, "learning.steps=1"])
    short, long = (load_checkpoint(folder / "checkpoint").model.past_frames for folder in (run, tmp_path / "run"))
    assert short < long == 5


def test_training_on_two_stores_names_them_and_evaluation_holds_out_of_both(store, second_store, tmp_path, capsys):
    given = [f"data=[{store},{second_store}]", "shares=[0.25,0.75]", f"run_dir={tmp_path / 'run'}", *TINY]
    train([*given, "learning.steps=1"])
    assert f"next: python -m vfplan.evaluate checkpoint={tmp_path / 'run' / 'checkpoint'} data={store}\n" in (
        capsys.readouterr().out
    )
    record = load_checkpoint(tmp_path / "run" / "checkpoint").training
    opened = [EpisodeStore.open(path) for path in (store, second_store)]
    assert [row["digest"] for row in record["stores"]] == [one.digest for one in opened]
    assert [(row["path"], row["share"]) for row in record["stores"]] == [(str(store), 0.25), (str(second_store), 0.75)]
    assert record["data"]["digest"] == opened[0].digest
    for one in opened:
        assert _held_out(load_checkpoint(tmp_path / "run" / "checkpoint"), one, 0) == range(len(one) - 3, len(one))


@pytest.fixture(scope="module")
def evaluated(store, run, tmp_path_factory):
    """The folder of an evaluation on the training store, and what was printed."""
    folder, printed = tmp_path_factory.mktemp("evaluations") / "push", io.StringIO()
    with contextlib.redirect_stdout(printed):
        evaluate([f"checkpoint={run / 'checkpoint'}", f"data={store}", f"run_dir={folder}", *FEW])
    return folder, printed.getvalue()


def test_evaluation_reports_exact_bits_with_intervals(evaluated):
    folder = evaluated[0]
    report = json.loads((folder / "likelihood.json").read_text())
    assert report["num_episodes"] == 3  # only the validation episodes of the training store
    assert report["bound"] == "dequantised" and report["num_dequantisation_samples"] == 1
    for key in ("bits_per_dim", "bits_per_dim_shuffled_actions", "bits_per_dim_no_actions"):
        assert report[key]["low"] <= report[key]["mean"] <= report[key]["high"]
    steps = np.mean([step["mean"] for step in report["per_step"]])
    levels = sum(level["mean"] for level in report["per_level"])
    assert report["bits_per_dim"]["mean"] == pytest.approx(steps, rel=1e-5) == pytest.approx(levels, rel=1e-5)
    assert (folder / "likelihood.png").stat().st_size > 1000


def test_evaluation_leaves_a_page_with_all_its_pictures_and_prints_a_short_table(evaluated):
    folder, printed = evaluated
    shown = re.findall(r'src="data:image/\w+;base64,([^"]+)"', (folder / "index.html").read_text())
    pictures = {path.read_bytes() for path in folder.iterdir() if path.suffix in (".png", ".gif")}
    assert set(map(base64.b64decode, shown)) == pictures
    sections = json.loads((folder / "likelihood.json").read_text())["sections"]
    assert sections["position"]["floor"]["cm"]["mean"] < 0.5
    assert sections["occlusion"] == {"absent": "in none of 3 episodes is the object hidden and seen again"}
    lines = printed.strip().splitlines()
    assert len(lines) <= 25 and max(map(len, lines[1:-3])) <= 120
    assert "hidden objects" in printed and "absent: in none of 3 episodes" in printed


def test_recording_afterwards_gives_the_same_results(run, tmp_path):
    """A finished run is run again for it, and then no more."""
    given = ["env=push", f"checkpoint={run / 'checkpoint'}", f"run_dir={tmp_path}", "gif=false", *QUICK]
    plan(given)
    alone = json.loads((tmp_path / "results.json").read_text())["tasks"]
    plan([*given, "record=true"])
    (kept,) = (tmp_path / "episodes").glob("searches-*.npz")
    searches, written = read_searches(kept, 2), kept.stat().st_mtime_ns
    assert searches.best.shape == (2, 2, 2) and searches.futures.shape == (2, 2, CHEAPEST + 1, 8, 16, 16, 3)
    plan([*given, "record=true"])
    assert kept.stat().st_mtime_ns == written
    found = json.loads((tmp_path / "results.json").read_text())["tasks"]
    assert [task["final_cm"] for task in found] == [task["final_cm"] for task in alone]


def test_planning_with_a_trained_model_writes_results_and_a_gif(run, tmp_path):
    plan(["env=push", f"checkpoint={run / 'checkpoint'}", f"run_dir={tmp_path / 'out'}", *QUICK])
    report = json.loads((tmp_path / "out" / "results.json").read_text())
    assert report["num_tasks"] == 2 and len(report["tasks"]) == 2
    for key in ("solved_5cm", "solved_3cm"):
        assert report[key]["low"] <= report[key]["rate"] <= report[key]["high"]
    assert report["distance_cm"]["start_median"] > 10 and report["seconds_per_plan"] > 0
    assert report["checkpoint_sha256"] == load_checkpoint(run / "checkpoint").sha256
    assert len(report["tasks_sha256"]) == 64
    assert (tmp_path / "out" / "episodes.gif").stat().st_size > 1000
    assert (tmp_path / "out" / "config.json").is_file()


def test_planning_twice_gives_the_same_result(run, tmp_path):
    rows = []
    for name in ("a", "b"):
        plan(["env=push", f"checkpoint={run / 'checkpoint'}", f"run_dir={tmp_path / name}", *QUICK, "gif=false"])
        report = json.loads((tmp_path / name / "results.json").read_text())
        rows.append([task["final_cm"] for task in report["tasks"]])
    assert rows[0] == rows[1]


@pytest.mark.parametrize(
    "planner",
    [
        ["planner=mppi", "planner.iterations=1"],
        ["planner=shooting", "planner.iterations=1"],
        ["planner=gradient", "planner.steps=1"],
        ["planner=cem", "planner.iterations=1", "planner.elites=2", "planner.refine_steps=1", "planner.refine_plans=2"],
    ],
    ids=lambda planner: planner[0],
)
def test_every_planner_plans_with_a_learned_model(planner, run, tmp_path):
    given = [f"checkpoint={run / 'checkpoint'}", "planner.samples=4", "planner.horizon=3", "control.steps=2"]
    plan([*planner, *given, "num_tasks=1", "gif=false", "control.replan_every=1", f"run_dir={tmp_path / 'out'}"])
    report = json.loads((tmp_path / "out" / "results.json").read_text())
    assert len(report["tasks"]) == 1


@pytest.mark.parametrize("planner", ["random", "zero"])
def test_baselines_run_through_the_same_command(planner, tmp_path):
    plan([f"planner={planner}", "model=oracle", "num_tasks=2", "gif=false", f"run_dir={tmp_path / 'out'}"])
    report = json.loads((tmp_path / "out" / "results.json").read_text())
    if planner == "zero":
        assert all(task["final_cm"] == pytest.approx(task["start_cm"], abs=0.5) for task in report["tasks"])


def test_the_simulator_as_model_solves_a_task(tmp_path):
    quick = ["planner.samples=24", "planner.elites=6", "control.replan_every=3"]
    plan(["model=oracle", "tasks=dev", "num_tasks=1", "gif=false", f"run_dir={tmp_path / 'out'}", *quick])
    report = json.loads((tmp_path / "out" / "results.json").read_text())
    assert report["tasks"][0]["solved_5cm"] and report["checkpoint_sha256"] is None


def test_the_model_takes_image_size_and_action_width_from_the_data(run):
    config = load_checkpoint(run / "checkpoint").model.config
    assert (config.image_size, config.action_dim) == (64, 4)


def test_every_command_prints_the_next_one(run, evaluated):
    assert f"next: python -m vfplan.plan env=push checkpoint={run / 'checkpoint'}" in evaluated[1]
