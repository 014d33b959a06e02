"""What a comparison says of episodes whose numbers are known."""

import json
import re

import pytest

from vfplan.statistics import wilson_interval
from vfplan.studies.benchmark.episodes import Episode
from vfplan.studies.benchmark.plots import pictures
from vfplan.studies.benchmark.report import row_reports
from vfplan.studies.benchmark.tables import markdown_table, notes, text_table


def episode(task, *distances, seconds=(), every=2, commit="c" * 40):
    actions = ((0.0,) * 4,) * (len(distances) - 1)
    return Episode(task, (0, 9), tuple(map(float, distances)), actions, (), tuple(seconds), every, commit)


# Tasks 0 to 5; task 5 starts at 4 cm. Model: 3 of 5 at the end, task 3 only in passing. Ceiling: 4 of 5. Zero: none.
MODEL = [
    episode(0, 15, 9, 4, 2, seconds=(0.5, 0.1)),
    episode(1, 15, 9, 9, 4, seconds=(0.5, 0.1)),
    episode(2, 12, 4, 4, 4.99, seconds=(0.5, 0.1)),
    episode(3, 12, 4, 4, 5.0, seconds=(0.5, 0.1)),
    episode(4, 18, 18, 19, 20, seconds=(0.5, 0.1)),
    episode(5, 4, 4, 4, 4, seconds=(0.5, 0.1)),
]
CEILING = [episode(t, 15, 9, 5, 1 if t in (0, 1, 3, 4) else 9, seconds=(0.2, 0.2)) for t in range(4)]
CEILING.append(episode(4, 15, 9, 5, 1, seconds=(0.2, 0.2), commit="d" * 40 + "-dirty"))
CEILING.append(episode(5, 4, 4, 4, 9, seconds=(0.2, 0.2)))
ZERO = [episode(t, d, d, d, d) for t, d in enumerate((15, 15, 12, 12, 18, 4))]
FACTS = {
    "zero": {"reads_simulator": False, "overrides": ()},
    "simulator-image": {"reads_simulator": True, "overrides": ("planner=icem", "model=oracle")},
    "model": {"reads_simulator": False, "overrides": ("planner=icem", "model=videoflow")},
}
ROWS = {"zero": ZERO, "simulator-image": CEILING, "model": MODEL}


@pytest.fixture(scope="module")
def reports():
    made = row_reports(ROWS, FACTS, reference="model", ceiling="simulator-image")
    return {report.name: report for report in made}


def test_success_is_judged_at_the_end_and_reported_at_any_time_too(reports):
    model = reports["model"]
    assert (model.end["5 cm"].count, model.end["3 cm"].count) == (3, 1)
    assert (model.any_time["5 cm"].count, model.any_time["3 cm"].count) == (4, 1)
    assert (model.end["5 cm"].rate, model.end["5 cm"].low, model.end["5 cm"].high) == tuple(wilson_interval(3, 5))
    assert model.distance_cm == {"median": 4.99, "mean": pytest.approx(35.99 / 5), "start_median": 15.0}


def test_tasks_solved_at_the_start_do_not_count_and_are_counted(reports):
    assert all((report.num_tasks, report.excluded) == (5, 1) for report in reports.values())
    assert reports["zero"].any_time["5 cm"].count == 0
    assert "5 tasks, 1 more excluded as solved at the start" in notes(list(reports.values()), reference="model")[0]


def test_nothing_is_reported_if_every_task_was_solved_at_the_start():
    solved = {name: [found[-1]] for name, found in ROWS.items()}
    with pytest.raises(ValueError, match="all 1 tasks are solved at the start"):
        row_reports(solved, FACTS, reference="model", ceiling="simulator-image")


def test_pairs_are_of_the_same_tasks_and_the_test_is_exact(reports):
    assert reports["model"].against is None
    ceiling, zero = reports["simulator-image"].against, reports["zero"].against
    # The ceiling solves 3 and 4, which the model does not; the model 2, which the ceiling does not. p = 2 (1+3) / 8.
    assert (ceiling.both, ceiling.only_this, ceiling.only_other, ceiling.neither) == (2, 2, 1, 0)
    assert ceiling.p == 1.0
    assert (zero.both, zero.only_this, zero.only_other, zero.neither) == (0, 0, 3, 2)
    assert zero.p == 0.25 and zero.p_holm == 0.5


def test_rows_of_other_tasks_are_not_compared():
    with pytest.raises(ValueError, match="row model has other tasks"):
        row_reports({**ROWS, "model": MODEL[:-1]}, FACTS, reference="model", ceiling="simulator-image")


def test_the_ratio_is_to_the_simulator_as_model(reports):
    assert reports["simulator-image"].ratio is None
    assert reports["model"].ratio["estimate"] == 0.75
    assert reports["zero"].ratio == {"estimate": 0.0, "low": 0.0, "high": 0.0}


def test_success_against_the_planning_time_spent(reports):
    curve = reports["model"].time_curve
    assert curve["seconds"] == pytest.approx([0.5, 0.5, 0.6])
    assert curve["within_5cm"] == pytest.approx([0.4, 0.6, 0.6])
    assert reports["model"].seconds_per_plan == pytest.approx(0.3)
    assert reports["zero"].seconds_per_plan is None and reports["zero"].time_curve["seconds"] == [0.0] * 3


def test_the_table_holds_the_numbers_and_marks_what_reads_the_simulator(reports):
    lines = text_table(list(reports.values()))
    assert len({len(re.split(r" {2,}", line)) for line in lines}) == 1
    model, ceiling = lines[3], lines[2]
    assert re.split(r" {2,}", model)[1:4] == ["60.0 % [23.1, 88.2]", "20.0 % [3.6, 62.4]", "80.0 % [37.6, 96.4]"]
    assert "reference" in model and "0.75 [" in model and "0.30" in model
    assert ceiling.startswith("simulator-image *") and "2 : 1" in ceiling and not model.startswith("model *")


def test_the_markdown_names_settings_and_commit_of_each_row(reports):
    text = "\n".join(markdown_table(list(reports.values()), reference="model"))
    assert "| **model** |" in text and "| simulator-image \\* |" in text
    assert "| model | `planner=icem model=videoflow` | `ccccccc` |" in text
    assert "| simulator-image | `planner=icem model=oracle` | `ccccccc`, `ddddddd-dirty` |" in text
    assert "| zero | does not plan | `ccccccc` |" in text


def test_every_picture_is_a_png(reports):
    made = pictures(list(reports.values()))
    assert set(made) == {"success.png", "time.png", "distance.png"}
    assert all(picture.startswith(b"\x89PNG") for picture in made.values())


def test_a_report_can_be_written_although_a_ratio_is_infinite():
    nothing = {**ROWS, "simulator-image": ZERO}
    made = row_reports(nothing, FACTS, reference="model", ceiling="simulator-image")
    ratio = next(report.ratio for report in made if report.name == "model")
    assert ratio == {"estimate": None, "low": None, "high": None}
    json.dumps(ratio, allow_nan=False)
