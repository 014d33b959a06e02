"""Speed: a row for each model and each scale that it imagines at, from the numbers of one process."""

import json

import pytest

from tests.refusal import refused
from vfplan.speed import main as speed

QUICK = ["image_size=16", "rows=2", "steps=2", "repeats=2", "device=cpu"]


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    folder = tmp_path_factory.mktemp("speed")
    models = "models=[videoflow,videoflow_2019_small,multiscale,vpn]"
    speed([models, *QUICK, "downscales=[1,4,5]", f"run_dir={folder}"])
    return json.loads((folder / "speed.json").read_text())["rows"]


def test_scales_that_a_model_does_not_imagine_are_left_out(rows):
    found = {}
    for row in rows:
        found.setdefault(row["model"], []).append(row["downscale"])
    assert found == {"videoflow": [1, 4], "videoflow_2019_small": [1], "multiscale": [1, 4], "vpn": [1, 4]}


def test_numbers_are_of_the_models_that_were_named(rows):
    assert all(row["frames_per_second"] > 0 and row["frames_per_cpu_second"] > 0 for row in rows)
    passes = {row["model"]: row["passes_per_frame"] for row in rows}
    assert passes == {"videoflow": 1, "videoflow_2019_small": 1, "multiscale": 8**2 + 8 + 1 + 3, "vpn": 16**2 + 16 + 1}
    assert len({row["parameters"] for row in rows}) == 4


def test_a_checkpoint_is_timed_at_its_own_size(run, tmp_path, capsys):
    speed([f"models=[{run / 'checkpoint'}]", *QUICK, f"run_dir={tmp_path}"])
    assert {row["image_size"] for row in json.loads((tmp_path / "speed.json").read_text())["rows"]} == {64}
    assert "64x64" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["models=[videofloww]"], "unknown model 'videofloww'; did you mean 'videoflow'"),
        (["models=[]"], "models and downscales must name one or more each"),
        (["image_size=18"], "models: videoflow: image_size=18 cannot be halved for 3 levels"),
        (["rows=0"], "rows must be in [1, 1e5], got 0"),
    ],
)
def test_what_cannot_be_timed_is_one_line(given, words, tmp_path, capsys):
    arguments = ["models=[videoflow]", *QUICK, f"run_dir={tmp_path / 'out'}", *given]
    assert refused(capsys, speed, arguments).startswith(words)
    assert not (tmp_path / "out").exists()
