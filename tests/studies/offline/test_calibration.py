"""A model that samples the data's own distribution is calibrated; narrower and wider ones are found out."""

import dataclasses

import numpy as np
import pytest

from tests.studies.offline.conftest import QUICK, GaussianWorld, gaussian_store, trial
from vfplan.statistics import Estimate
from vfplan.studies.offline.calibration import measure
from vfplan.studies.offline.pit import LEVELS, Counts, split

MANY = dataclasses.replace(QUICK, rollout_samples=16)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return gaussian_store(tmp_path_factory.mktemp("gaussian") / "store")


def summary(store, width, span="steps 2 on"):
    return measure(trial(GaussianWorld(width), store, MANY)).numbers["changing_pixels"][span]


def shares(found):
    return [estimate["mean"] for estimate in found["coverage"]]


@pytest.mark.parametrize("span", ["step 1", "steps 2 on"])
def test_a_perfect_model_has_nominal_coverage_and_a_flat_histogram(store, span):
    found = summary(store, 1.0, span)
    error = 4 * np.sqrt(0.25 / found["num_values"])  # four standard errors
    assert shares(found) == pytest.approx(LEVELS, abs=error)
    assert np.abs(np.array(found["histogram"]) - 1).max() < 10 * error
    assert found["deviation"] < 5 * error


def test_an_overconfident_model_misses_too_often_and_its_histogram_is_a_u(store):
    found = summary(store, 0.3)
    assert all(share < level - 0.15 for share, level in zip(shares(found), LEVELS, strict=True))
    histogram = np.array(found["histogram"])
    assert histogram[[0, -1]].min() > 2 > 0.8 > histogram[3:7].max()
    assert found["deviation"] > 0.2


def test_a_timid_model_covers_too_much_and_its_histogram_is_a_hump(store):
    found = summary(store, 3.0)
    assert shares(found)[0] > 0.8
    assert found["histogram"][4] > 1.5 > 0.2 > found["histogram"][0]


def test_the_position_is_absent_with_a_reason_where_there_is_no_object(store):
    assert "poses of 0 objects" in measure(trial(GaussianWorld(), store, MANY)).numbers["position_absent"]


def test_sorting_values_into_changing_and_static_keeps_a_perfect_model_uniform():
    """Sorting by the truth alone would put every far-off truth among those that change."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(9, 1, 40_000))
    changing, static = split(values[0], values[1:], np.zeros(40_000), 3.0, rng)
    for counts in (changing, static):
        assert counts.total > 5000
        assert np.abs(counts.histogram - 1).max() < 5 * np.sqrt(9 / counts.total)
    assert changing.total + static.total == 40_000


def test_values_that_are_unknown_are_in_no_group():
    values = np.array([[0.0, np.nan, 1.0]])
    changing, static = split(values, np.zeros((4, 1, 3)), np.zeros(3), 0.5, np.random.default_rng(0))
    assert (changing.total, static.total) == (1, 1)


def test_a_share_has_an_interval_of_shares():
    estimate = Estimate.of_shares([1.0, 1.0, 0.9])
    assert estimate.mean < estimate.high == 1.0 and 0 < estimate.low < estimate.mean


def test_one_episode_has_no_interval():
    estimate = Estimate.of([0.25])
    assert (estimate.low, estimate.high) == (None, None) and estimate.scaled(100).text(1) == "25.0"


def test_pooling_steps_adds_their_counts():
    rng = np.random.default_rng(0)
    counts = Counts.of(rng.random((3, 4, 50)), rng.random((3, 4, 50)) < 0.5)
    pooled = counts.pooled(slice(1, None))
    assert pooled.total == sum(counts.pooled(slice(step, step + 1)).total for step in (1, 2, 3))
