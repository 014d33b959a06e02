"""The command `monitor` with the shipped checkpoint and random actions: what it writes, and who may use it."""

import contextlib
import io
import json

import pytest

from tests.refusal import refused
from vfplan.models.checkpoint import load_checkpoint, shipped_checkpoint
from vfplan.monitor import main as monitor
from vfplan.plan import main as plan

SHORT = ["env=push", "planner=random", "control.steps=6", "lockstep=4", "device=cpu"]


@pytest.fixture(scope="module")
def monitored(tmp_path_factory):
    """The run folder, and what was printed."""
    folder, printed = tmp_path_factory.mktemp("monitor") / "run", io.StringIO()
    few = ["calibration_episodes=4", "false_alarms=0.2", "episodes=2"]
    given = [*few, "faults=[blank,teleport]", "fault_from=2", "fault_to=3"]
    with contextlib.redirect_stdout(printed):
        monitor([*SHORT, *given, f"run_dir={folder}"])
    return folder, printed.getvalue()


def test_it_finds_a_blank_frame_and_a_teleported_object_at_once(monitored):
    report = json.loads((monitored[0] / "monitor.json").read_text())
    for fault in ("blank", "teleport"):
        row = report["faults"][fault]
        assert row["auroc"] == 1.0 and row["delays"] == [0, 0]
        assert set(row["success"]) == {"ignore", "replan", "stop"}
    assert report["episodes"] == 2 and set(report["faults"]) == {"none", "blank", "teleport"}


def test_the_calibration_names_its_weights_and_holds_its_maxima(monitored):
    calibration = json.loads((monitored[0] / "surprise.json").read_text())
    assert calibration["checkpoint_sha256"] == load_checkpoint(shipped_checkpoint("push")).sha256
    assert len(calibration["maxima"]) == 4 and calibration["threshold"] == max(calibration["maxima"])
    assert calibration["tasks"] == "dev" and calibration["steps"] == 6


def test_it_leaves_a_chart_a_film_and_a_short_table(monitored):
    folder, printed = monitored
    assert (folder / "monitor.png").stat().st_size > 1000 and (folder / "surprise.gif").stat().st_size > 1000
    assert "AUROC" in printed and "blank" in printed and max(map(len, printed.splitlines()[:7])) <= 140
    assert f"control.monitor={folder / 'surprise.json'}" in printed


def test_plan_takes_the_calibration_and_reports_alarms(monitored, tmp_path):
    given = ["num_tasks=2", "gif=false", f"control.monitor={monitored[0] / 'surprise.json'}"]
    plan([*SHORT, *given, "control.on_surprise=replan", f"run_dir={tmp_path / 'out'}"])
    report = json.loads((tmp_path / "out" / "results.json").read_text())
    assert len(report["first_alarms"]) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["control.steps=7"], "holds for episodes of 6 actions at most; got 7"),
        (["model=oracle"], "model=oracle gives no likelihoods"),
        (["control.monitor=/nowhere"], "no calibration at /nowhere"),
        (["control.on_surprise=stop", "control.monitor="], "control.on_surprise=stop needs control.monitor=FILE"),
    ],
)
def test_plan_refuses_what_the_calibration_does_not_hold_for(arguments, words, monitored, tmp_path, capsys):
    given = [*SHORT, "num_tasks=1", f"control.monitor={monitored[0] / 'surprise.json'}", f"run_dir={tmp_path / 'out'}"]
    assert words in refused(capsys, plan, [*given, *arguments])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["calibration_episodes=18"], "calibrate on at least 19"),
        (["calibration_episodes=51"], "51 tasks asked for, but push dev has 50"),
        (["faults=[flood]"], "no fault 'flood'; there are teleport"),
        (["reactions=[jump]"], "'jump' (valid: replan, stop)"),
        (["fault_to=6"], "fault_from <= fault_to < control.steps=6"),
        (["control.on_surprise=stop"], "set reactions and calibration instead"),
        (["env=push_occluded"], "no checkpoint ships for env=push_occluded"),
    ],
)
def test_wrong_input_is_refused_and_nothing_is_written(arguments, words, tmp_path, capsys):
    given = [*SHORT, "fault_from=2", "fault_to=3", f"run_dir={tmp_path / 'out'}"]
    assert words in refused(capsys, monitor, [*given, *arguments])
    assert not (tmp_path / "out").exists()
