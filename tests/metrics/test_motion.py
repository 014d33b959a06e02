"""Motion: 1 for a model that knows where things go, 0 for one that stands still, and only what moves counts."""

import numpy as np
import pytest

from vfplan.metrics.motion import motion

START = np.zeros((5, 2, 2))
END = START.copy()
END[:, 0, 0] = [0.02, 0.04, 0.06, 0.08, 0.10]  # the second object stays
END[:, 1] = 0.005


def test_perfect_foresight_explains_all():
    found = motion(END, END, START, END)
    assert (found.count, found.explained, found.centimetres, found.ceiling) == (5, 1.0, 0.0, 1.0)


def test_standing_still_explains_nothing():
    assert motion(START, END, START, END).explained == 0


def test_a_lost_object_counts_as_standing_still():
    lost = np.where(np.arange(5)[:, None, None] == 4, np.nan, END)
    assert motion(lost, END, START, END).explained == pytest.approx(1 - 0.1**2 / (END[:, 0, 0] ** 2).sum())


def test_errors_are_in_centimetres_and_those_of_following_stand_apart():
    away = END + np.array([0.0, 0.03])
    found = motion(away, END + np.array([0.0, 0.01]), START, END)
    assert found.centimetres == pytest.approx(3.0)
    whole = (END[:, 0, 0] ** 2).sum()
    assert found.explained == pytest.approx(1 - 5 * 0.03**2 / whole)
    assert found.ceiling == pytest.approx(1 - 5 * 0.01**2 / whole)


def test_where_nothing_moves_there_is_nothing_to_judge():
    assert motion(START, START, START, START) is None
