"""The audit: what is right is found right, what is useless useless, and model error is told from cost error."""

import json

import numpy as np
import pytest

from tests.refusal import refused
from vfplan.audit import main as audit
from vfplan.studies.audit.report import Judged, Places, find, plot, report, table

RNG = np.random.default_rng(0)
SOURCES, POPULATIONS = ("true", "predicted"), ("first", "last")
QUICK = [
    "num_tasks=2",
    "num_states=4",
    "control.steps=4",
    "control.replan_every=2",
    "planner.samples=8",
    "planner.elites=2",
    "planner.iterations=2",
    "device=cpu",
]
CHEAP = "costs=[{name: displacement}, {name: pixel}, {name: sum, settings: {terms: [{name: chroma, weight: 2}]}}]"


def judged():
    distances = {population: 20 * RNG.random((60, 32)) for population in POPULATIONS}
    values = {}
    for source in SOURCES:
        for population, truth in distances.items():
            values["perfect", source, population] = truth**2
            values["random", source, population] = RNG.random(truth.shape)
            blurred = truth if source == "true" else truth + 20 * RNG.random(truth.shape)
            values["misled", source, population] = blurred
    return Judged(np.repeat(np.arange(20), 3), distances, values)


def test_a_perfect_cost_is_found_perfect_and_a_random_one_useless():
    found = report(judged(), elites=6, seed=0)
    for source in SOURCES:
        perfect, useless = (find(found, cost, source, "last") for cost in ("perfect", "random"))
        for measure in ("spearman", "kendall", "concordance", "elite_precision"):
            assert perfect[measure] == {"mean": pytest.approx(1), "low": pytest.approx(1), "high": pytest.approx(1)}
        assert perfect["regret_cm"]["mean"] == 0
        assert useless["spearman"]["low"] < 0 < useless["spearman"]["high"]
        assert useless["regret_cm"]["mean"] == pytest.approx(10, abs=2)


def test_a_models_error_shows_on_predicted_frames_alone():
    found = report(judged(), elites=6, seed=0)
    true, predicted = (find(found, "misled", source, "first")["spearman"] for source in SOURCES)
    assert true["mean"] == pytest.approx(1) and predicted["high"] < 0.9


def test_states_in_which_nothing_moves_are_left_out_and_counted():
    whole = judged()
    whole.distances["last"][:7] = 12.34
    kept = whole.where_objects_move(0.01)
    assert kept.left_out == 7 and len(kept.tasks) == 53
    assert all(len(rows) == 53 for rows in [*kept.distances.values(), *kept.values.values()])


def test_targets_that_candidates_move_are_judged_by_where_they_were_foretold():
    whole, rng = judged(), np.random.default_rng(1)
    start = rng.normal(size=(60, 2))
    end = start[:, None] + np.where(np.arange(32)[:, None] % 2, 0.05, 0.0) * rng.normal(size=(60, 32, 2))
    for population, foretold in (("first", end), ("last", np.broadcast_to(start[:, None], end.shape))):
        whole.places[population] = Places(start, end, end, foretold)
    found = report(Judged.joined([whole, whole]).where_objects_move(0.01), elites=6, seed=0)
    assert found["motion"]["first"]["explained"] == 1 and found["motion"]["last"]["explained"] == 0
    assert found["motion"]["first"]["count"] <= 60 * 32  # the half that moves, twice
    assert "of their squared displacement is foretold" in table(found)


def test_the_table_ranks_costs_by_predicted_frames_and_the_picture_is_one():
    found = report(judged(), elites=6, seed=0)
    lines = [line for line in table(found).splitlines() if line.startswith(("perfect", "random", "misled"))]
    assert [line.split()[0] for line in lines] == ["perfect", "misled", "random"] * 2
    assert plot(found).startswith(b"\x89PNG")


@pytest.fixture(scope="module")
def of_the_simulator(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audit") / "oracle"
    audit(["model=oracle", CHEAP, f"run_dir={folder}", *QUICK])
    return json.loads((folder / "audit.json").read_text())


def test_with_the_simulator_as_model_true_and_predicted_frames_are_the_same(of_the_simulator):
    for cost in ("displacement", "pixel", "sum"):
        for population in POPULATIONS:
            true, predicted = (find(of_the_simulator, cost, source, population) for source in SOURCES)
            assert {**true, "frames": ""} == {**predicted, "frames": ""}
    assert of_the_simulator["num_states"] + of_the_simulator["states_left_out"] == 4


def test_every_default_cost_is_judged_on_a_learned_model(tmp_path):
    audit([f"run_dir={tmp_path / 'out'}", *QUICK])
    found = json.loads((tmp_path / "out" / "audit.json").read_text())
    costs = {row["cost"] for row in found["rows"]}
    assert len(costs) >= 12 and len(found["rows"]) == 4 * len(costs)
    for row in found["rows"]:
        for measure in ("spearman", "kendall", "concordance", "regret_cm", "elite_precision"):
            assert row[measure]["low"] <= row[measure]["mean"] + 1e-9 <= row[measure]["high"] + 2e-9
    assert len(found["checkpoint_sha256"]) == len(found["tasks_sha256"]) == 64
    assert (tmp_path / "out" / "audit.png").stat().st_size > 1000
    assert (tmp_path / "out" / "audit.txt").read_text().startswith(f"{found['num_states']} states of")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["model=oracle", "costs=[{name: latent}]"],
            "costs that look into latents cannot be judged: this model has none",
        ),
        (["costs=[{name: pixle}]"], "unknown cost 'pixle'; did you mean 'pixel'"),
        (["costs=[{name: pixel, settings: {blurs: [1]}}]"], "unknown key 'pixel.blurs'"),
        (["costs=[]"], "costs must be one or more of {name, label, settings}"),
        (["costs=[{name: pixel}, {name: pixel}]"], "two costs are called 'pixel'"),
        (["num_states=0"], "num_states must be in"),
        (["num_tasks=51"], "51 tasks asked for, but push dev has 50"),
        (["cost=sum", "cost.terms=[{name: goal_image, weight: -1}]"], "weight must be in"),
        (["cost=goal_image", "cost.mask=maybe"], "cost.mask must be true or false"),
    ],
)
def test_wrong_input_is_refused_in_one_line_and_nothing_is_written(arguments, words, tmp_path, capsys):
    assert words in refused(capsys, audit, [*arguments, f"run_dir={tmp_path / 'out'}", "device=cpu"])
    assert not (tmp_path / "out").exists()
