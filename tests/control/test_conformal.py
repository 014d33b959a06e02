"""The promise of a conformal threshold, and the file that carries it."""

import json
import math

import numpy as np
import pytest

from vfplan.control.calibration import Calibration, conformal_threshold, read_calibration
from vfplan.control.surprise import SurpriseConfig
from vfplan.errors import UserError
from vfplan.output.folder import write_json

TRIALS = 4_000


def draw(kind, rng, count):
    """Values that are exchangeable: independent, or with a level and a spread that all of a trial share."""
    values = rng.standard_normal((TRIALS, count))
    if kind == "shared":
        values = values * rng.lognormal(size=(TRIALS, 1)) + 10 * rng.standard_normal((TRIALS, 1))
    return np.exp(values) if kind == "heavy" else values


@pytest.mark.parametrize("kind", ["normal", "heavy", "shared"])
@pytest.mark.parametrize(("episodes", "promised"), [(19, 0.05), (40, 0.05), (30, 0.2)])
def test_new_episodes_exceed_the_threshold_as_often_as_promised_and_no_more(kind, episodes, promised):
    values = draw(kind, np.random.default_rng(0), episodes + 1)
    alarms = [row[-1] > conformal_threshold(row[:-1].tolist(), promised) for row in values]
    exact = math.floor(round((episodes + 1) * promised, 9)) / (episodes + 1)
    assert np.mean(alarms) == pytest.approx(exact, abs=4 * math.sqrt(exact / TRIALS))


def test_ties_never_raise_more_alarms_than_promised():
    values = np.random.default_rng(1).integers(0, 3, (TRIALS, 21)).astype(float)
    alarms = [row[-1] > conformal_threshold(row[:-1].tolist(), 0.1) for row in values]
    assert np.mean(alarms) <= 0.1


def test_the_threshold_is_an_order_statistic():
    assert conformal_threshold(list(range(1, 20)), 0.05) == 19
    assert conformal_threshold(list(range(1, 40)), 0.05) == 38
    assert conformal_threshold([3.0, 1.0, 2.0], 0.5) == 2


@pytest.mark.parametrize(
    ("maxima", "promised", "message"),
    [
        ([0.0] * 18, 0.05, "18 episodes cannot promise .* 5 % .* calibrate on at least 19"),
        ([], 0.5, "calibrate on at least 1"),
        ([0.0] * 98, 0.01, "at least 99"),
        ([0.0] * 50, 0.0, "false_alarms must be between 0 and 1; got 0.0"),
        ([0.0] * 50 + [math.nan], 0.05, "not a number"),
    ],
)
def test_what_cannot_be_promised_is_refused(maxima, promised, message):
    with pytest.raises(ValueError, match=message):
        conformal_threshold(maxima, promised)


CALIBRATION = Calibration("a" * 64, "push", 30, "IcemConfig", "dev", 0.05, 7.5, SurpriseConfig(3, 0.25), (1.0, 7.5))
FITS = {"checkpoint_sha256": "a" * 64, "env": "push", "steps": 30}


def test_a_calibration_survives_its_file(tmp_path):
    write_json(tmp_path / "surprise.json", CALIBRATION)
    assert read_calibration(tmp_path / "surprise.json", **FITS) == CALIBRATION
    assert read_calibration(tmp_path / "surprise.json", **{**FITS, "steps": 10}) == CALIBRATION


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"checkpoint_sha256": "b" * 64}, "was made for checkpoint aaaaaaaaaaaa, but this is bbbbbbbbbbbb"),
        ({"checkpoint_sha256": None}, "was made for checkpoint"),
        ({"env": "push_slip"}, "was made for env push, but this is push_slip"),
        ({"steps": 31}, "holds for episodes of 30 actions at most; got 31"),
    ],
)
def test_a_calibration_for_something_else_is_refused(change, message, tmp_path):
    write_json(tmp_path / "surprise.json", CALIBRATION)
    with pytest.raises(UserError, match=message):
        read_calibration(tmp_path / "surprise.json", **{**FITS, **change})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no calibration at"),
        ("{", "not JSON"),
        ("[]", "expected a JSON object"),
        ('{"env": "push"}', "missing key"),
    ],
)
def test_a_file_that_is_no_calibration_is_refused(content, message, tmp_path):
    if content is not None:
        (tmp_path / "surprise.json").write_text(content)
    with pytest.raises(UserError, match=message):
        read_calibration(tmp_path / "surprise.json", **FITS)


def test_unknown_keys_are_refused(tmp_path):
    write_json(tmp_path / "surprise.json", CALIBRATION)
    values = json.loads((tmp_path / "surprise.json").read_text())
    (tmp_path / "surprise.json").write_text(json.dumps({**values, "treshold": 1}))
    with pytest.raises(UserError, match="did you mean"):
        read_calibration(tmp_path / "surprise.json", **FITS)
