"""The monitor's statistic, with a model that says what it is told; and alarms in closed loop."""

from functools import cache

import numpy as np
import pytest
import torch

import planners
from tests.control.test_control import SIZE, BlobModel, BlobWorld, draw, moved, problem
from vfplan.control.agent import plan_episodes
from vfplan.control.controller import Controller
from vfplan.control.loop import Problem
from vfplan.control.scoring import Scorer, ScoringConfig
from vfplan.control.settings import ControlConfig
from vfplan.control.surprise import Monitor, SurpriseConfig
from vfplan.costs import GoalImage, GoalImageConfig
from vfplan.models.base import Context


class Told:
    """Gives out cell log-densities, one after the other."""

    def __init__(self, *cells):
        self.cells = iter(cells)

    def cell_log_prob(self, context, action, frame):
        return next(self.cells)


def watch(monitor, times=1):
    nothing = Context(torch.zeros(1, 1), torch.zeros(1, 1))
    return [monitor.observe(nothing, torch.zeros(1), torch.zeros(1)).tolist() for _ in range(times)]


def test_the_statistic_is_the_mean_of_the_most_surprising_cells():
    cells = torch.tensor([[[1.0, -8.0], [-2.0, 5.0]], [[0.0, 0.0], [0.0, -4.0]]])
    for count, expected in ((1, [8.0, 4.0]), (2, [5.0, 2.0]), (4, [1.0, 1.0]), (99, [1.0, 1.0])):
        monitor = Monitor(Told(cells), SurpriseConfig(cells=count))
        watch(monitor)
        assert monitor.record().values[:, 0].tolist() == expected
        assert np.array_equal(monitor.record().maps[:, 0], -cells)


def test_smoothing_is_an_exponentially_weighted_average_from_the_first_frame_on():
    told = [torch.full((1, 2, 2), -value) for value in (4.0, 0.0, 8.0)]
    monitor = Monitor(Told(*told), SurpriseConfig(smoothing=0.5))
    watch(monitor, 3)
    assert monitor.record().values[0].tolist() == [4.0, 2.0, 5.0]


def test_an_alarm_is_a_value_above_the_threshold_or_no_number():
    told = [torch.full((1, 2, 2), -value) for value in (3.0, 3.1, -torch.inf)]
    bad = torch.zeros(1, 2, 2)
    bad[0, 0, 0] = torch.nan
    monitor = Monitor(Told(*told, bad), SurpriseConfig(), threshold=3.0)
    assert watch(monitor, 4) == [[False], [True], [False], [True]]
    assert monitor.record().alarms.tolist() == [[False, True, False, True]]
    assert monitor.record().first_alarms() == [1]


@pytest.mark.parametrize(
    ("changes", "message"), [({"cells": 0}, "cells must be in"), ({"smoothing": 1.0}, "smoothing must be in")]
)
def test_settings_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        SurpriseConfig(**changes)


class WatchfulModel(BlobModel):
    """The blob's model, sure of its pixels up to a standard deviation of 0.02; cells are 4x4 pixels."""

    def cell_log_prob(self, context, action, frame):
        expected = draw(moved(self.encode(context).values, action[:, :2]))
        density = (-0.5 * ((frame / 255 - expected) / 0.02).square() + 2.99).sum(1)
        return density.unflatten(2, (-1, 4)).unflatten(1, (-1, 4)).sum((2, 4))


class FaultyWorld(BlobWorld):
    """After the fourth action the blob is elsewhere, or the camera shows nothing."""

    def __init__(self, position, fault):
        super().__init__(position)
        self.fault, self.count = fault, 0

    def step(self, action):
        self.count += 1
        if self.fault == "teleport" and self.count == 4:
            self.position = SIZE - self.position
        observation, *rest = super().step(action)
        if self.fault == "blank" and self.count == 4:
            observation["image"] = np.zeros_like(observation["image"])
        return observation, *rest


STARTS = [(3.0, 3.0), (12.0, 5.0), (8.0, 12.0)]


@cache
def run(on_surprise="ignore", fault=None, *, monitor=True, planner=None):
    """Three episodes of seven actions, replanned every third; the fault is in the second."""
    config = ControlConfig(steps=7, replan_every=3, on_surprise=on_surprise)
    model = WatchfulModel()
    scorer = Scorer(model, GoalImage(GoalImageConfig()), ScoringConfig(downscale=1))
    planner = planner or planners.build(planners.IcemConfig(horizon=4, samples=32), 4)
    watcher = Monitor(model, SurpriseConfig(cells=1), threshold=0.0) if monitor else None
    controller = Controller(model, planner, scorer, config, torch.Generator().manual_seed(0), watcher)
    nominal = problem()
    worlds = [FaultyWorld(start, fault if row == 1 else None) for row, start in enumerate(STARTS)]
    faulty = Problem(worlds, [world.observe() for world in worlds], nominal.goal_images)
    return plan_episodes(faulty, controller, imagine=False)


def test_only_the_episode_with_the_fault_is_alarmed_at_the_first_frame_after_it():
    for fault in ("teleport", "blank"):
        assert run(fault=fault).surprise.first_alarms() == [None, 3, None]
    assert run().surprise.first_alarms() == [None, None, None]


def test_the_map_shows_where():
    first = run(fault="teleport").surprise.maps[1, 3]
    quiet = run().surprise.maps[1, 3]
    assert ((first > 0) & (quiet < 0)).any() and (first < 0).any()


def test_watching_changes_nothing():
    assert np.array_equal(run(fault="teleport").actions, run(fault="teleport", monitor=False).actions)
    assert run(monitor=False).surprise is None


def test_stop_ends_all_motion_of_the_alarmed_episode_and_of_no_other():
    stopped, ignored = run("stop", "blank"), run("ignore", "blank")
    assert (stopped.actions[1, 4:] == 0).all() and (stopped.actions[1, :4] != 0).any()
    assert np.array_equal(stopped.actions[:, :4], ignored.actions[:, :4])
    assert np.array_equal(stopped.actions[[0, 2]], ignored.actions[[0, 2]])


def test_replan_changes_the_alarmed_episode_at_once_and_the_others_not_before_the_next_planning():
    replanned, ignored = run("replan", "teleport"), run("ignore", "teleport")
    assert np.array_equal(replanned.actions[:, :4], ignored.actions[:, :4])
    assert not np.array_equal(replanned.actions[1, 4:6], ignored.actions[1, 4:6])
    assert np.array_equal(replanned.actions[[0, 2], :6], ignored.actions[[0, 2], :6])


def test_without_an_alarm_every_reaction_acts_the_same():
    assert np.array_equal(run("replan").actions, run("ignore").actions)
    assert np.array_equal(run("stop").actions, run("ignore").actions)


class Recorder(planners.Icem):
    """Remembers what it was asked to start from."""

    def plan(self, score, belief, rng):
        self.asked = [*getattr(self, "asked", []), belief]
        return super().plan(score, belief, rng)


def test_replan_starts_cold_and_forgets_no_other_belief():
    recorder = Recorder(planners.IcemConfig(horizon=4, samples=32), 4)
    run("replan", "teleport", planner=recorder)
    first, second, anew, third = recorder.asked
    assert len(first.mean) == len(second.mean) == len(third.mean) == 3 and len(anew.mean) == 1
    assert (second.mean[1] != 0).any()
    assert (anew.mean == 0).all() and (anew.elites == 0).all() and torch.equal(anew.std[0], first.std[0])
    assert (third.mean != 0).flatten(1).any(1).all()  # the new plan warm-starts the next one


def test_an_alarm_at_the_last_executed_action_makes_the_next_planning_cold():
    recorder = Recorder(planners.IcemConfig(horizon=4, samples=32), 4)
    model = WatchfulModel()
    scorer = Scorer(model, GoalImage(GoalImageConfig()), ScoringConfig(downscale=1))
    config = ControlConfig(steps=6, replan_every=4, on_surprise="replan")
    monitor = Monitor(model, SurpriseConfig(cells=1), 0.0)
    controller = Controller(model, recorder, scorer, config, torch.Generator().manual_seed(0), monitor)
    worlds = [FaultyWorld(STARTS[0], None), FaultyWorld(STARTS[1], "teleport")]
    goals = problem(range(2)).goal_images
    plan_episodes(Problem(worlds, [world.observe() for world in worlds], goals), controller, imagine=False)
    first, second = recorder.asked
    assert (second.mean[0] != 0).any() and (second.mean[1] == 0).all()
    assert torch.equal(second.std[1], first.std[1])


def test_a_reaction_needs_a_monitor():
    with pytest.raises(ValueError, match="on_surprise=stop needs a monitor"):
        run("stop", monitor=False)
