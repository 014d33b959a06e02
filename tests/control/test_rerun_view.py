"""Rerun's own reader finds in `run.rrd` what the run kept of its episodes."""

import importlib.util
import json

import imageio.v3 as iio
import numpy as np
import pytest

from tests.refusal import refused
from vfplan.control import rerun_view
from vfplan.control.loop import Trajectory
from vfplan.plan import main as plan

QUICK = [
    "planner.samples=4",
    "planner.elites=2",
    "planner.iterations=2",
    "num_tasks=3",
    "lockstep=2",
    "control.steps=4",
    "gif=false",
    "device=cpu",
]
installed = pytest.mark.skipif(
    importlib.util.find_spec("rerun") is None, reason="rerun not installed (pip install 'vfplan[rerun]', 700 MB)"
)


def read(path):
    """The values by column of every row, by step, of each entity that vfplan logged."""
    from rerun.chunk import RrdReader

    found = {}
    for chunk in RrdReader(path).stream().to_chunks():
        if chunk.entity_path == "/__properties":
            continue
        table = chunk.to_record_batch().to_pydict()
        for row in range(chunk.num_rows):
            values = {name.split(":")[1]: column[row] for name, column in table.items() if ":" in name}
            found.setdefault(chunk.entity_path, {})[table["step"][row] if "step" in table else None] = values
    return found


def films(path, name, tasks):
    """Frames (E, T, Y, X, C) in the order of steps, and the steps of the first task."""
    entities = [read(path)[f"/task_{task:03d}/{name}"] for task in tasks]
    images = [[iio.imread(bytes(rows[step]["blob"][0])) for step in sorted(rows)] for rows in entities]
    return np.array(images), sorted(entities[0])


@installed
def test_the_recording_holds_what_happened(run, tmp_path):
    folder = tmp_path / "out"
    plan([f"checkpoint={run / 'checkpoint'}", f"run_dir={folder}", "viz=rerun", *QUICK])
    entities = read(folder / "run.rrd")
    assert {name.split("/")[1] for name in entities} == {"task_000", "task_001", "task_002"}
    for file, tasks in (("tasks-0000-0001.npz", (0, 1)), ("tasks-0002-0002.npz", (2,))):
        kept = np.load(folder / "episodes" / file)
        happened, steps = films(folder / "run.rrd", "happened", tasks)
        assert np.array_equal(happened, kept["frames"]) and steps == [0, 1, 2, 3, 4]
        imagined, steps = films(folder / "run.rrd", "imagined", tasks)
        assert np.array_equal(imagined, kept["imagined"]) and steps == [1, 2, 3, 4]
        for row, task in enumerate(tasks):
            rows = entities[f"/task_{task:03d}/plan_cost"]
            costs = dict(zip((0, 2), kept["plan_costs"][:, row].tolist(), strict=True))
            assert {step: values["scalars"][0] for step, values in rows.items()} == costs
            (goal,) = entities[f"/task_{task:03d}/goal"].values()
            assert iio.imread(bytes(goal["blob"][0])).shape == kept["frames"].shape[2:]


@installed
def test_a_run_without_futures_goes_on_with_them(run, tmp_path):
    given = [f"checkpoint={run / 'checkpoint'}", f"run_dir={tmp_path / 'out'}", *QUICK]
    plan(given)
    before = json.loads((tmp_path / "out" / "results.json").read_text())["tasks"]
    plan([*given, "viz=rerun"])
    after = json.loads((tmp_path / "out" / "results.json").read_text())["tasks"]
    assert [task["final_cm"] for task in before] == [task["final_cm"] for task in after]
    assert films(tmp_path / "out" / "run.rrd", "imagined", (0, 1, 2))[0].shape[:2] == (3, 4)


@installed
def test_candidates_are_shown_where_they_are_kept(run, tmp_path):
    plan([f"checkpoint={run / 'checkpoint'}", f"run_dir={tmp_path}", "viz=rerun", "record=true", *QUICK])
    kept = np.load(tmp_path / "episodes" / "searches-0000-0001.npz")["futures"]  # (R, E, K, T, y, x, C)
    sheets, steps = films(tmp_path / "run.rrd", "candidates", (0, 1))
    height, width = kept.shape[4:6]
    assert steps == [0, 2] and sheets.shape[2:4] == (kept.shape[2] * height, kept.shape[3] * width)
    for candidate, time in ((0, 0), (kept.shape[2] - 1, 3)):
        there = np.s_[:, :, candidate * height : (candidate + 1) * height, time * width : (time + 1) * width]
        assert np.array_equal(sheets[there].swapaxes(0, 1), kept[:, :, candidate, time])


@installed
def test_costs_that_are_no_numbers_are_left_out(tmp_path):
    frames = np.zeros((1, 3, 8, 8, 3), np.uint8)
    happened = Trajectory(
        frames=frames,
        actions=np.zeros((1, 2, 4), np.float32),
        infos=[[{}, {}]],
        imagined=frames[:, 1:],
        plan_costs=np.array([[np.inf], [2.0]], np.float32),
    )
    view = rerun_view.RerunView("run", 0.2)
    view.add(7, frames[:, 0], happened, replan_every=1)
    (tmp_path / "run.rrd").write_bytes(view.content())
    rows = read(tmp_path / "run.rrd")["/task_007/plan_cost"]
    assert {step: values["scalars"] for step, values in rows.items()} == {1: [2.0]}


def test_a_missing_library_is_refused_before_any_work(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(rerun_view.importlib.util, "find_spec", lambda name: None)
    message = refused(capsys, plan, ["viz=rerun", f"run_dir={tmp_path / 'out'}"])
    assert message == "viz=rerun needs rerun, which is not installed: pip install 'vfplan[rerun]'"
    assert list(tmp_path.iterdir()) == []
