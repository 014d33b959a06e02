"""A sweep ends in one table: a row for each job, with its overrides and the numbers in its folder."""

import csv
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import vfplan.cli.config
from tests.refusal import refused
from vfplan.cli.config import command
from vfplan.cli.sweeps import NAME, numbers


@dataclass(frozen=True)
class ToyConfig:
    text: str = ""
    horizon: int = 8
    run_dir: str = ""


def report(config):
    """What stands in for a result, of which 7 has none and 5 makes the command fail."""
    folder = Path(config.run_dir)
    rates = {"rate": config.horizon / 3, "solved": True, "tasks": [1, 2], "rows": [{"name": "icem", "cm": 0.5}]}
    (folder / "left").write_text("")
    if config.horizon != 7:
        (folder / "toy.json").write_text(json.dumps({"horizon": config.horizon, "model": "text", "found": rates}))
    if config.horizon == 5:
        sys.exit(3)


@pytest.fixture
def toy(tmp_path, monkeypatch):
    (tmp_path / "toy.yaml").write_text('text: ""\nhorizon: 8\nrun_dir: ""\n')
    monkeypatch.setattr(vfplan.cli.config, "CONFIG_FOLDER", tmp_path)
    monkeypatch.chdir(tmp_path)
    return command(report, ToyConfig, name="toy", help="A toy.", results="toy.json")


def table(folder):
    with (folder / NAME).open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_has_overrides_and_numbers(toy, tmp_path, capsys):
    toy(["-m", "horizon=3,6", "text='a, \"b\"'", "run_dir=sweep"])
    first, second = table(tmp_path / "sweep")
    assert first == {
        "job": "0",
        "horizon": "3",
        "text": "'a, \"b\"'",
        "run_dir": "sweep",
        "toy.horizon": "3",
        "toy.found.rate": "1.0",
        "toy.found.solved": "true",
        "toy.found.rows.icem.cm": "0.5",
    }
    assert second["job"] == "1" and second["horizon"] == "6" and second["toy.found.rate"] == "2.0"
    assert capsys.readouterr().out.splitlines()[-1] == "wrote sweep/results.csv"
    assert sorted(path.name for path in (tmp_path / "sweep").iterdir()) == ["0", "1", NAME]


def test_an_unnamed_sweep_has_one_folder(toy, tmp_path):
    toy(["-m", "horizon=1,2,3"])
    (folder,) = (tmp_path / "runs").glob("toy-sweep-20*")
    assert [row["toy.horizon"] for row in table(folder)] == ["1", "2", "3"]


def test_a_job_that_fails_ends_the_sweep_but_has_a_row(toy, tmp_path):
    with pytest.raises(SystemExit) as caught:
        toy(["-m", "horizon=4,5,6", "run_dir=sweep"])
    assert caught.value.code == 3
    assert [row["toy.horizon"] for row in table(tmp_path / "sweep")] == ["4", "5"]


def test_rows_of_earlier_jobs_stay_where_a_sweep_goes_on(toy, tmp_path):
    toy(["-m", "horizon=1,2,3", "run_dir=sweep"])
    toy(["-m", "horizon=7", "text=new", "run_dir=sweep"])
    rows = table(tmp_path / "sweep")
    assert [(row["job"], row["horizon"], row["text"]) for row in rows] == [
        ("0", "7", "new"),
        ("1", "2", ""),
        ("2", "3", ""),
    ]
    assert rows[0]["toy.horizon"] == "1"  # the folder still holds what the first sweep left there


def test_rows_are_in_order_of_jobs(toy, tmp_path):
    toy(["-m", f"horizon={','.join(map(str, range(10, 22)))}", "run_dir=sweep"])
    assert [row["job"] for row in table(tmp_path / "sweep")] == [str(job) for job in range(12)]


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"", b"\xff\xfe", b'job,a\n0,"1\n', b"job,a\n0,1,2\n"])
def test_a_table_of_something_else_is_left_alone(toy, tmp_path, capsys, content):
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / NAME).write_bytes(content)
    message = refused(capsys, toy, ["-m", "horizon=1,2", "run_dir=sweep"])
    assert message.startswith("sweep/results.csv is no table of a sweep (")
    assert [path.name for path in (tmp_path / "sweep").iterdir()] == [NAME]
    assert (tmp_path / "sweep" / NAME).read_bytes() == content


def test_one_run_writes_no_table(toy, tmp_path):
    toy(["horizon=1", "run_dir=one"])
    assert not list(tmp_path.rglob(NAME))


def test_the_last_of_each_number_counts_in_metrics(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "validation/loss": 3.0}\n{"step": 3, "lo')
    assert dict(numbers(path)) == {"step": "2", "loss": "2.0", "validation/loss": "3.0"}
