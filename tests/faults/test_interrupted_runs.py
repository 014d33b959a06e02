"""A run of episodes keeps each group as it ends, and goes on with the others to the same result."""

import json
import shutil
import zipfile

import numpy as np
import pytest

from tests.refusal import refused
from vfplan.control.session import ClosedLoop
from vfplan.monitor import main as monitor
from vfplan.plan import main as plan
from vfplan.studies.monitor import run as monitoring

PLAN = ["env=push", "planner=random", "num_tasks=6", "lockstep=2", "control.steps=5", "device=cpu"]
MONITOR = ["env=push", "planner=random", "control.steps=6", "lockstep=2", "device=cpu", "calibration_episodes=4"]
MONITOR += ["false_alarms=0.2", "episodes=4", "faults=[blank]", "fault_from=2", "fault_to=3", "reactions=[stop]"]


def untimed(value):
    """A result without what depends on the clock."""
    if isinstance(value, dict):
        return {key: untimed(item) for key, item in value.items() if "seconds" not in key}
    return [untimed(item) for item in value] if isinstance(value, list) else value


def results(folder, name):
    return untimed(json.loads((folder / name).read_text()))


def interrupted_at(monkeypatch, owner, name, call):
    """Let the call number `call` of a function be interrupted; the list of calls that were not."""
    function, done = getattr(owner, name), []

    def counted(*arguments, **given):
        if len(done) == call:
            raise KeyboardInterrupt
        done.append(arguments)
        return function(*arguments, **given)

    monkeypatch.setattr(owner, name, counted)
    return done


def stopped(main, arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 130


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plan") / "whole"
    plan([*PLAN, f"run_dir={folder}"])
    return folder


@pytest.mark.parametrize("call", [0, 1, 2])
def test_an_interrupted_plan_goes_on(whole, tmp_path, monkeypatch, call):
    given = [*PLAN, f"run_dir={tmp_path}"]
    with monkeypatch.context() as patched:
        interrupted_at(patched, ClosedLoop, "run", call)
        stopped(plan, given)
    kept = list((tmp_path / "episodes").glob("tasks-*.npz"))
    assert len(kept) == call and not (tmp_path / "results.json").exists()
    rest = interrupted_at(monkeypatch, ClosedLoop, "run", 3 - call)
    plan(given)
    assert len(rest) == 3 - call
    assert results(tmp_path, "results.json") == results(whole, "results.json")
    assert (tmp_path / "episodes.gif").read_bytes() == (whole / "episodes.gif").read_bytes()


def test_more_tasks_keep_those_that_are_there(whole, tmp_path, monkeypatch):
    run = shutil.copytree(whole, tmp_path / "run")
    run_now = interrupted_at(monkeypatch, ClosedLoop, "run", 1)
    plan([*PLAN, "num_tasks=8", f"run_dir={run}"])
    assert len(run_now) == 1
    assert results(run, "results.json")["tasks"][:6] == results(whole, "results.json")["tasks"]


@pytest.mark.parametrize(
    ("setting", "words"), [("cost=pixel", "cost.name=displacement, not pixel"), ("seed=1", "seed=0, not 1")]
)
def test_other_settings_are_refused(whole, setting, words, capsys):
    before = (whole / "results.json").read_bytes()
    message = refused(capsys, plan, [*PLAN, setting, f"run_dir={whole}"])
    assert f"{whole / 'episodes'} holds episodes with {words}: give another run_dir" in message
    assert (whole / "results.json").read_bytes() == before


def test_a_damaged_group_is_one_line(whole, tmp_path, capsys):
    run = shutil.copytree(whole, tmp_path / "run")
    path = run / "episodes" / "tasks-0002-0003.npz"
    for content in (b"", path.read_bytes()[:1000], b"PK" + bytes(500)):
        path.write_bytes(content)
        assert f"{path} is damaged (" in refused(capsys, plan, [*PLAN, f"run_dir={run}"], begun=True)


def test_a_small_group_that_fills_the_memory_is_one_line(whole, tmp_path, capsys):
    run = shutil.copytree(whole, tmp_path / "run")
    path = run / "episodes" / "tasks-0002-0003.npz"
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("more.npy", "w") as member:
        for _ in range(9):
            member.write(bytes(2**26))
    assert "576 MiB unpacked" in refused(capsys, plan, [*PLAN, f"run_dir={run}"], begun=True)


def test_what_is_kept_is_what_happened(whole):
    with np.load(whole / "episodes" / "tasks-0000-0001.npz") as arrays:
        assert arrays["frames"].shape == (2, 6, 64, 64, 3) and arrays["actions"].shape == (2, 5, 4)
        assert arrays["info.object_xy"].shape == (2, 5, 1, 2)


def test_an_interrupted_monitor_goes_on(tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        all_calls = interrupted_at(patched, monitoring, "plan_episodes", 100)
        monitor([*MONITOR, f"run_dir={tmp_path / 'whole'}"])
    for call in (1, 3, 5):
        given = [*MONITOR, f"run_dir={tmp_path / str(call)}"]
        with monkeypatch.context() as patched:
            interrupted_at(patched, monitoring, "plan_episodes", call)
            stopped(monitor, given)
        with monkeypatch.context() as patched:
            rest = interrupted_at(patched, monitoring, "plan_episodes", 100)
            monitor(given)
        assert len(rest) == len(all_calls) - call
        for name in ("monitor.json", "surprise.json"):
            assert results(tmp_path / str(call), name) == results(tmp_path / "whole", name)
