"""executor=NAME of the commands: the same bytes by each, also when a worker is killed; what is absent is refused."""

import functools
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.data import records
from tests.execution import units
from tests.execution.executors import cluster, each, quick
from tests.refusal import refused
from vfplan import benchmark, collect, convert, generate
from vfplan.data.filling import FillConfig, fill_store
from vfplan.data.known import Slip

EXECUTORS = ("processes", "ray", "slurm")
MAKERS = {
    "collect": (collect.main, ["env=push", "env.image_size=16", "env.length=4", "episodes=8"]),
    "convert": (convert.main, ["source={here}/softmotion30_44k"]),
    "generate": (generate.main, ["source=slip", "source.image_size=20", "episodes=8"]),
}
COMPARED = ["env=push", "num_tasks=1", "steps=2", "models=oracle", "planners=random", "threads=1"]


@pytest.fixture(scope="module", autouse=True)
def surroundings():
    with cluster(), quick():
        yield


@pytest.fixture(scope="module")
def bair(tmp_path_factory):
    """The folder with three records of BAIR."""
    here = tmp_path_factory.mktemp("bair")
    (here / "softmotion30_44k" / "train").mkdir(parents=True)
    each = [records.framed(records.example(records.bair_features(records.trajectory(seed)))) for seed in range(3)]
    (here / "softmotion30_44k" / "train" / "traj_0_to_2.tfrecords").write_bytes(b"".join(each))
    return here


def files(folder, *but):
    return {
        path.name: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in but
    }


def made(command, bair, out, name):
    main, given = MAKERS[command]
    given = [word.replace("{here}", str(bair)) for word in given]
    workers = "workers=0" if name == "serial" else "workers=2"
    main([*given, "shard_episodes=2", f"executor={name}", workers, f"out={out}", f"run_dir={out}-run"])
    return files(out, "command.json")


@pytest.mark.parametrize("name", each(*EXECUTORS))
@pytest.mark.parametrize("command", MAKERS)
def test_a_store_has_the_same_bytes(command, name, bair, tmp_path):
    assert made(command, bair, tmp_path / name, name) == made(command, bair, tmp_path / "serial", "serial")


@pytest.mark.parametrize("name", each(*EXECUTORS))
def test_a_killed_worker_does_not_change_them(name, tmp_path):
    config = generate.main.configuration(["source=slip", "source.image_size=20", "episodes=6", "shard_episodes=2"])
    meta, mark = generate.describe(config), tmp_path / "killed"
    for out, by, how in (("whole", "serial", ""), ("killed-one", name, str(mark))):
        given = FillConfig(executor=by, workers=0 if by == "serial" else 2, run_dir=str(tmp_path / "run"))
        fill_store(tmp_path / out, meta, functools.partial(units.drawn, how, Slip(image_size=20)), given)
    assert mark.exists()
    but = "command.json"
    assert files(tmp_path / "whole", but) == files(tmp_path / "killed-one", but)


def outcome(folder):
    """All that a benchmark found but how long it took."""
    episodes = sorted((folder / "episodes").rglob("0*.json"))
    return [{**json.loads(path.read_text()), "plan_seconds": 0} for path in episodes]


# A job of submitit's loads all modules anew, 7 s for each of 7 units.
@pytest.mark.parametrize("name", each("processes", "ray"))
def test_a_benchmark_finds_the_same(name, tmp_path):
    for by, workers in (("serial", 1), (name, 2)):
        benchmark.main([*COMPARED, f"executor={by}", f"workers={workers}", f"run_dir={tmp_path / by}"])
    found = outcome(tmp_path / name)
    assert found == outcome(tmp_path / "serial") and len(found) == 7


@pytest.mark.parametrize("command", [*MAKERS, "benchmark"])
@pytest.mark.parametrize(("name", "package"), [("ray", "ray"), ("slurm", "submitit")])
def test_what_is_absent_is_refused_before_any_work(command, name, package, bair, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda wanted: None if wanted == package else find(wanted))
    main, given = MAKERS.get(command, (benchmark.main, []))
    given = [word.replace("{here}", str(bair)) for word in given]
    message = refused(capsys, main, [*given, f"executor={name}"])
    assert message == f"executor={name} needs {package}, which is not installed: pip install 'vfplan[{name}]'"
    assert list(tmp_path.iterdir()) == []


def test_one_process_is_not_asked_to_be_more(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert "runs in this process alone; got workers=2" in refused(
        capsys, collect.main, ["executor=serial", "workers=2"]
    )
    assert "unknown executor 'dask' (valid: " in refused(capsys, collect.main, ["executor=dask"])


def test_nothing_is_imported_that_is_not_asked_for(tmp_path):
    given = ["env=push", "env.image_size=16", "env.length=2", "episodes=2", "workers=1", f"out={tmp_path / 'store'}"]
    program = f"""
import sys
from vfplan.collect import main

if __name__ == "__main__":
    import vfplan.models.sharing, vfplan.studies.benchmark.runner
    main({[*given, f"run_dir={tmp_path / 'run'}"]!r})
    sys.exit(bool({{"ray", "submitit", "huggingface_hub", "cloudpickle"}} & set(sys.modules)))
"""
    (tmp_path / "program.py").write_text(program)
    assert subprocess.run([sys.executable, tmp_path / "program.py"], cwd=Path.cwd(), check=False).returncode == 0
