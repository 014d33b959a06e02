"""Models that draw pixel by pixel go through every command: trained, resumed, evaluated, planned and compared with."""

import json

import pytest

from tests.commands.test_commands import FEW, metrics
from tests.refusal import refused
from vfplan.audit import main as audit
from vfplan.benchmark import main as benchmark
from vfplan.collect import main as collect
from vfplan.evaluate import main as evaluate
from vfplan.models.checkpoint import load_checkpoint
from vfplan.monitor import main as monitor
from vfplan.plan import main as plan
from vfplan.train import main as train

SIZE = 8  # pixels
LEARNING = [
    "learning.batch=[2]", "learning.warmup=1", "validation_episodes=2", "validate_every=4", "save_every=2",
    "log_every=1", "device=cpu",
]  # fmt: skip
MODELS = {
    "multiscale": ["model.base=2", "model.width=4", "model.blocks=1", "model.masked_width=2", "model.head_width=4"],
    "vpn": ["model.width=2", "model.encoder_dilations=[1]", "model.decoder_dilations=[1]", "model.head_width=4"],
}
PLANNER = ["planner.samples=3", "planner.elites=1", "planner.iterations=1", "planner.horizon=2"]


@pytest.fixture(scope="module")
def small_store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small") / "push"
    given = [f"env.image_size={SIZE}", "env.length=5", "episodes=6", "workers=1"]
    collect(["env=push", *given, f"out={folder}", f"run_dir={folder.parent / 'record'}"])
    return folder


@pytest.fixture(scope="module", params=MODELS)
def trained(request, small_store, tmp_path_factory):
    """The folder of a training that was stopped after two steps and went on."""
    run = tmp_path_factory.mktemp(request.param) / "run"
    given = [f"model={request.param}", *MODELS[request.param], f"data={small_store}", f"run_dir={run}", *LEARNING]
    train([*given, "learning.steps=2", "learning.schedule=constant"])
    train([*given, "learning.steps=4", "learning.schedule=constant", "allow_mismatch=true"])
    return run


def there(trained, tmp_path):
    return [f"checkpoint={trained / 'checkpoint'}", f"run_dir={tmp_path}", "device=cpu"]


def test_training_goes_on_and_has_bits_of_every_level(trained):
    rows = [row for row in metrics(trained) if "bits_per_dim" in row]
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    levels = load_checkpoint(trained / "checkpoint").model.num_levels
    assert {key for key in rows[0] if key.startswith("level_")} == {f"level_{index}" for index in range(levels)}
    assert any("validation/bits_per_dim" in row for row in metrics(trained))


def test_evaluation_says_that_bits_are_exact(trained, small_store, tmp_path, capsys):
    evaluate([f"data={small_store}", *there(trained, tmp_path), *FEW, "long_steps=3"])
    report = json.loads((tmp_path / "likelihood.json").read_text())
    assert report["bound"] == "exact" and report["bits_per_dim"]["mean"] > 0
    assert "bits/dim (exact); " in capsys.readouterr().out


def test_it_plans_and_is_audited_and_compared(trained, tmp_path):
    tasks = [f"env.image_size={SIZE}", "num_tasks=1"]
    plan([*tasks, *there(trained, tmp_path / "plan"), *PLANNER, "control.steps=2"])
    assert (tmp_path / "plan" / "episodes.gif").stat().st_size > 1000
    judged = [f"env.image_size={SIZE}", "num_tasks=2", "num_states=4", "control.steps=4", "control.replan_every=1"]
    audit([*judged, *there(trained, tmp_path / "audit"), "planner.samples=8", "planner.iterations=1"])
    found = json.loads((tmp_path / "audit" / "audit.json").read_text())
    assert {"pixel", "displacement"} < {row["cost"] for row in found["rows"]} - {"latent", "goal_likelihood"}
    rows = [f"models=[{trained / 'checkpoint'}]", f'settings="{" ".join(PLANNER)}"', "steps=2", "tasks=dev"]
    benchmark([*tasks, *rows, f"run_dir={tmp_path / 'rows'}", "device=cpu"])
    assert (tmp_path / "rows" / "benchmark.json").is_file()


def test_it_watches_itself(trained, tmp_path):
    quick = ["calibration_episodes=2", "false_alarms=0.5", "faults=[]", "fault_from=0", "fault_to=1", "control.steps=2"]
    monitor([f"env.image_size={SIZE}", *there(trained, tmp_path), *PLANNER, *quick])
    assert len(json.loads((tmp_path / "surprise.json").read_text())["maxima"]) == 2


def test_costs_that_look_into_latents_refuse_it(trained, tmp_path, capsys):
    given = [f"env.image_size={SIZE}", *there(trained, tmp_path), "cost=latent"]
    said = refused(capsys, plan, given, begun=True)
    assert said == "cost latent looks into the latents of a learned flow; this model has none"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["learning.batch=[1,2]"], "learning does not fit: batch needs 1 or 3 numbers for multiscale; got (1, 2)"),
        (["learning.beta=0.5"], "unknown key 'learning.beta'"),
        (["hand=told"], "the model does not fit the data in {}: multiscale cannot be told where the hand is"),
    ],
)
def test_what_does_not_fit_is_one_line(given, words, small_store, tmp_path, capsys):
    arguments = [f"data={small_store}", f"run_dir={tmp_path}", "model=multiscale", "model.base=2", *LEARNING]
    assert refused(capsys, train, [*arguments, *given]).startswith(words.format(small_store))


def test_whoever_has_to_wait_is_told(tmp_path, capsys):
    folder = tmp_path / "push"
    given = ["env.image_size=32", "env.length=3", "episodes=4", "workers=1"]
    collect(["env=push", *given, f"out={folder}", f"run_dir={tmp_path / 'record'}"])
    arguments = ["model=vpn", *MODELS["vpn"], f"data={folder}", f"run_dir={tmp_path / 'run'}", *LEARNING]
    train([*arguments, "learning.steps=1"])
    assert "warning: vpn draws a frame in 1,057 passes, one after the other" in capsys.readouterr().err
