"""Bits per dimension: as many steps as were asked for."""

from dataclasses import replace

from tests.studies.offline.conftest import QUICK, tiny_videoflow, trial
from vfplan.studies.offline import bits


def test_as_many_steps_are_scored_as_asked_for(arena_store):
    model = tiny_videoflow()
    every = bits.measure(trial(model, arena_store)).numbers["per_step"]
    few = bits.measure(trial(model, arena_store, replace(QUICK, likelihood_steps=2))).numbers["per_step"]
    assert len(few) == 2 < len(every)
