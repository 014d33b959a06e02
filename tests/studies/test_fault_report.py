"""What is counted as found, as late and as a false alarm, on episodes made up for it."""

import numpy as np
import pytest

from vfplan.control.calibration import Calibration
from vfplan.control.surprise import SurpriseConfig
from vfplan.studies.monitor.report import Episodes, lines, numbers

CALIBRATION = Calibration("a" * 64, "push", 6, "IcemConfig", "dev", 0.05, 10.0, SurpriseConfig(), (1.0,))
STARTS = [2, 3, 2, 4]


def episodes(fault, reaction, values, solved):
    values = np.array(values, np.float32)
    return Episodes(fault, reaction, values, values > CALIBRATION.threshold, np.array(solved, bool), STARTS, [])


# Six frames each; the fault strikes before the frame at STARTS.
CALM = [[0, 1, 2, 1, 0, 1], [1, 1, 1, 1, 1, 1], [0, 0, 20, 0, 0, 0], [3, 3, 3, 3, 3, 3]]
FOUND = [[0, 1, 50, 1, 0, 1], [1, 30, 1, 1, 40, 1], [0, 0, 0, 0, 0, 15], [3, 60, 3, 3, 3, 3]]


@pytest.fixture
def report():
    return numbers(
        [
            episodes("none", "ignore", CALM, [1, 1, 1, 0]),
            episodes("none", "replan", CALM, [1, 1, 1, 0]),
            episodes("teleport", "ignore", FOUND, [0, 0, 1, 1]),
            episodes("teleport", "replan", FOUND, [1, 1, 0, 1]),
        ],
        CALIBRATION,
    )


def test_false_alarms_are_those_of_nominal_episodes_whenever_they_come(report):
    assert report["false_alarms_per_episode"]["rate"] == 1 / 4


def test_an_alarm_before_the_fault_finds_nothing_and_delay_counts_from_the_first_frame_after_it(report):
    row = report["faults"]["teleport"]
    assert row["delays"] == [0, 1, 3]  # the last episode was alarmed only before its fault
    assert row["detected"]["rate"] == 3 / 4 and row["delay_median"] == 1


def test_auroc_compares_the_same_frames_of_faulty_and_nominal_episodes(report):
    # After the fault: 50, 40, 15 and 3 against 2, 1, 20 and 3.
    assert report["faults"]["teleport"]["auroc"] == pytest.approx((4 + 4 + 3 + 2.5) / 16)


def test_reactions_are_compared_with_ignoring_on_the_same_tasks(report):
    row = report["faults"]["teleport"]["success"]
    assert row["ignore"]["rate"] == 2 / 4 and row["replan"]["rate"] == 3 / 4
    assert (row["replan"]["solved_only_with_reaction"], row["replan"]["solved_only_when_ignored"]) == (2, 1)
    assert row["replan"]["mcnemar_p"] == 1.0


def test_a_fault_that_is_never_found_has_no_delay():
    calm = episodes("friction", "ignore", np.zeros((4, 6)), [1, 1, 1, 1])
    report = numbers([episodes("none", "ignore", CALM, [1, 1, 1, 0]), calm], CALIBRATION)
    row = report["faults"]["friction"]
    assert row["delay_median"] is None and row["detected"]["rate"] == 0
    assert any(line.split()[:1] == ["friction"] for line in lines(report))
