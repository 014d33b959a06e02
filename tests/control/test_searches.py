"""What a planner looked at is kept as it was, and keeping it changes nothing."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

import planners
from tests.control.test_control import CONFIG, GOALS, STARTS, BlobModel, controller, draw, moved, problem, scorer
from vfplan.control.agent import plan_episodes
from vfplan.control.controller import Controller
from vfplan.control.search_recorder import CHEAPEST, SearchRecorder
from vfplan.control.searches import read_searches, searches_file, write_searches


def recorded(**settings):
    recorder = SearchRecorder(BlobModel(), 1)
    trajectory = plan_episodes(problem(), controller(**settings), on_plan=recorder.note)
    return trajectory, recorder.record()


@pytest.fixture(scope="module")
def kept():
    return recorded()


def test_recording_changes_no_action(kept):
    np.testing.assert_array_equal(kept[0].actions, plan_episodes(problem(), controller()).actions)


def test_kept_plans_are_in_order_and_what_is_followed_is_the_first(kept):
    trajectory, searches = kept
    assert searches.plans.shape == (4, 3, CHEAPEST + 1, 4, 4)
    assert (np.diff(searches.costs, axis=2) >= 0).all()
    np.testing.assert_array_equal(searches.costs[:, :, 0], trajectory.plan_costs)
    np.testing.assert_array_equal(searches.plans[1, :, 0, : CONFIG.replan_every], trajectory.actions[:, 2:4])


def test_each_call_to_the_score_is_summed_up(kept):
    _, searches = kept
    assert searches.best.shape == (4, 3, 3)  # plannings, iterations, episodes
    np.testing.assert_array_equal(searches.best[:, -1], searches.costs[:, :, 0])
    assert (searches.best <= searches.mean).all() and not searches.rejected.any()


def test_futures_show_what_the_model_expects_of_the_plans(kept):
    trajectory, searches = kept
    position = torch.tensor(STARTS).unsqueeze(1)
    for step in range(4):
        position = moved(position, torch.from_numpy(searches.plans[0, :, :, step, :2]))
        expected = (draw(position).movedim(-3, -1) * 255).numpy()
        assert np.abs(searches.futures[0, :, :, step] - expected).max() < 1.5
    np.testing.assert_array_equal(searches.seen[2], trajectory.frames[:, 4])
    assert np.abs(searches.goals[3] - (draw(torch.tensor(GOALS)).movedim(-3, -1) * 255).numpy()).max() < 1.5


def test_rejected_candidates_are_counted_and_none_is_the_costliest():
    """Half of all plans, those that first move left, have no cost."""

    class Half:
        def score(self, state, goal, rng):
            score = scorer().score(state, goal, rng)
            return lambda plans: torch.where(plans[:, :, 0, 0] < 0, torch.nan, score(plans))

    planner = planners.build(planners.IcemConfig(horizon=4, samples=32), 4)
    loop = Controller(BlobModel(), planner, Half(), CONFIG, torch.Generator().manual_seed(0))
    recorder = SearchRecorder(BlobModel(), 1)
    plan_episodes(problem(), loop, on_plan=recorder.note)
    searches = recorder.record()
    assert searches.rejected.any() and np.isfinite(searches.costs[:, :, -1]).all()
    assert (searches.plans[:, :, -1, 0, 0] >= 0).all()


@pytest.mark.parametrize("config", [planners.ZeroConfig(horizon=4), planners.RandomConfig(horizon=4, samples=2)])
def test_planners_of_few_candidates_are_kept_too(config):
    _, searches = recorded(planner=planners.build(config, 4))
    count = getattr(config, "samples", 1)
    assert searches.costs.shape[2] == count + 1 and searches.best.shape[1] == 1
    np.testing.assert_array_equal(searches.costs[:, :, -1], searches.costs[:, :, -2])


def test_what_is_written_is_read(kept, tmp_path):
    path = searches_file(tmp_path, range(3))
    write_searches(path, kept[1])
    for name, values in asdict(read_searches(path, 3)).items():
        np.testing.assert_array_equal(values, getattr(kept[1], name))


def test_arrays_that_do_not_fit_are_refused(kept):
    for name in asdict(kept[1]):
        with pytest.raises(ValueError, match="do not fit"):
            replace(kept[1], **{name: getattr(kept[1], name)[:, :-1]})


def test_a_file_of_too_many_bytes_is_refused(kept, tmp_path, monkeypatch):
    monkeypatch.setattr("vfplan.output.arrays.MOST_BYTES", 1000)
    path = searches_file(tmp_path, range(3))
    write_searches(path, kept[1])
    with pytest.raises(ValueError, match="unpacked, more than"):
        read_searches(path, 3)
