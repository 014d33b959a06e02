"""What the commands say to wrong input, where a checkpoint or data are at hand."""

import pytest

from tests.commands.tiny import TINY
from tests.refusal import refused
from vfplan.collect import main as collect
from vfplan.evaluate import main as evaluate
from vfplan.generate import main as generate
from vfplan.plan import main as plan
from vfplan.train import main as train


def test_a_run_of_other_settings_is_not_resumed(store, run, capsys):
    message = refused(capsys, train, [f"data={store}", f"run_dir={run}", *TINY, "learning.beta=0.25"])
    assert "holds a run with learning.beta=0.5, not 0.25" in message


def test_a_run_with_other_shares_is_not_resumed(store, run, capsys):
    message = refused(capsys, train, [f"data={store}", f"run_dir={run}", *TINY, "shares=[1]"])
    assert "holds a run with shares=" in message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["shares=[1]"], "shares must be as many numbers as data has stores, 2; got [1.0]"),
        (["shares=[0.5,0.6]"], "shares must be positive numbers that sum to one; got [0.5, 0.6]"),
        (["shares=[0,1]"], "shares must be positive numbers that sum to one; got [0.0, 1.0]"),
        (["data=[]"], "data must name at least one store"),
        (["validation_episodes=5"], "more has 5 episodes; validation_episodes=5 leaves none to train on"),
        (["data=[{store},/nowhere]"], "no folder /nowhere"),
    ],
)
def test_stores_and_shares_that_do_not_fit_are_refused(store, second_store, arguments, words, tmp_path, capsys):
    given = [f"data=[{store},{second_store}]", f"run_dir={tmp_path / 'out'}", *TINY]
    assert words in refused(capsys, train, [*given, *(text.format(store=store) for text in arguments)])
    assert not (tmp_path / "out").exists()


def test_stores_of_two_scenes_are_refused(store, tmp_path, capsys):
    other = tmp_path / "other"
    collect(["env=push", "env.image_size=32", "episodes=4", f"out={other}", "workers=1", f"run_dir={tmp_path / 'r'}"])
    message = refused(capsys, train, [f"data=[{store},{other}]", f"run_dir={tmp_path / 'out'}", *TINY])
    assert message == f"{other} has image_size=32, but {store} has image_size=64: these are two scenes"
    assert not (tmp_path / "out").exists()


def test_training_does_not_start_from_another_model(store, run, tmp_path, capsys):
    begun = [f"data={store}", f"init={run / 'checkpoint'}", f"run_dir={tmp_path / 'run'}"]
    message = refused(capsys, train, [*begun, *TINY, "model.flow_width=6"])
    assert "model.flow_width=4; this run needs 6" in message and not (tmp_path / "run").exists()


def test_a_hand_that_nobody_knows_is_refused(tmp_path, capsys):
    given = ["source=slip", "source.image_size=20", "episodes=12", "workers=1"]
    generate([*given, f"out={tmp_path / 'slip'}", f"run_dir={tmp_path / 'record'}"])
    given = [f"data={tmp_path / 'slip'}", "hand=told", f"run_dir={tmp_path / 'out'}", "validation_episodes=3"]
    assert "its description has no floor_to_pixel" in refused(capsys, train, given)
    assert not (tmp_path / "out").exists()


def test_training_does_not_start_from_a_model_of_another_name(store, run, tmp_path, capsys):
    begun = [f"data={store}", f"init={run / 'checkpoint'}", f"run_dir={tmp_path / 'run'}", "model=videoflow_shapes"]
    message = refused(capsys, train, begun)
    assert "holds model=videoflow; this run has model=videoflow_shapes" in message and not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rollout_samples=1"], "rollout_samples must be in [2, 10000], got 1"),
        (["temperatures=[0.5,-1]"], "temperatures must be in [0, 10], got -1"),
        (["temperatures=[]"], "temperatures must be one or more numbers"),
        (["episodes=9"], "episodes=9, but"),
        (["threads=-1"], "threads must be in [0, 1024], got -1"),
    ],
)
def test_wrong_input_to_evaluate_is_refused_and_nothing_is_written(arguments, words, store, run, tmp_path, capsys):
    given = [f"checkpoint={run / 'checkpoint'}", f"data={store}", f"run_dir={tmp_path / 'out'}", "device=cpu"]
    assert words in refused(capsys, evaluate, [*given, *arguments])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["env=pusch"], ["env 'pusch'", "did you mean 'push'", "push_bair"]),
        (["planner=icm"], ["planner 'icm'", "did you mean 'icem'", "mppi, random, shooting", "zero)"]),
        (["model=dreamer"], ["model", "dreamer", "oracle"]),
        (["cost=pixle"], ["did you mean 'pixel'"]),
        (["planner.horizon=-1"], ["planner.horizon must be in [1, 256], got -1"]),
        (["planner.elites=64"], ["elites must be between 1 and samples=", "got 64"]),
        (["planner.smaples=64"], ["did you mean 'planner.samples'"]),
        (["num_tasks=-1"], ["num_tasks must be in [0, 1e6], got -1"]),
        (["threads=-1"], ["threads must be in [0, 1024], got -1"]),
        (["num_tasks=1000"], ["1000 tasks asked for", "push benchmark has 200"]),
        (["control.replan_every=9"], ["control.replan_every=9 exceeds planner.horizon=8"]),
        (["checkpoint=/nowhere"], ["no checkpoint at /nowhere", "model.safetensors"]),
        (["model=oracle", "checkpoint=x"], ["takes no checkpoint"]),
        (["model=oracle", "planner=gradient"], ["model=oracle has no gradients", "expected model=learned"]),
        (["model=oracle", "planner.refine_steps=2"], ["model=oracle has no gradients", "planner.refine_steps above 0"]),
        (["scoring.finalists.count=2", "planner=gradient"], ["scoring.finalists makes", "scoring.finalists.count=0"]),
        (["scoring.downscale=3"], ["downscale", "3"]),
    ],
)
def test_wrong_input_to_plan_is_refused_in_one_line_and_nothing_is_written(arguments, words, tmp_path, capsys, run):
    given = [f"run_dir={tmp_path / 'out'}", "device=cpu"]
    if not any(argument.startswith(("checkpoint=", "model=")) for argument in arguments):
        given.append(f"checkpoint={run / 'checkpoint'}")
    message = refused(capsys, plan, [*arguments, *given])
    for word in words:
        assert word in message
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_of_another_environment_or_image_size_is_refused(run, tmp_path, capsys):
    given = [f"checkpoint={run / 'checkpoint'}", f"run_dir={tmp_path / 'out'}"]
    assert "was trained on name=push, but env=push_bair" in refused(capsys, plan, ["env=push_bair", *given])
    assert "image_size=64" in refused(capsys, plan, ["env=push", "env.image_size=32", *given])
    assert not (tmp_path / "out").exists()


def test_a_corrupt_checkpoint_is_refused(run, tmp_path, capsys):
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "config.json").write_bytes((run / "checkpoint" / "config.json").read_bytes())
    (broken / "model.safetensors").write_bytes((run / "checkpoint" / "model.safetensors").read_bytes()[:-7])
    for main, more in ((plan, []), (evaluate, [f"data={run}"])):
        message = refused(capsys, main, [f"checkpoint={broken}", f"run_dir={tmp_path / 'out'}", *more])
        assert "corrupt checkpoint" in message or "meta.json" in message


@pytest.mark.parametrize("main", [train, evaluate])
def test_an_empty_or_foreign_data_folder_is_refused(main, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "notes.txt").write_text("hello")
    for name, words in (("empty", "is empty"), ("foreign", "holds no meta.json"), ("absent", "no folder")):
        message = refused(capsys, main, [f"data={tmp_path / name}", f"run_dir={tmp_path / 'out'}"])
        assert words in message and "vfplan.collect" in message
    assert not (tmp_path / "out").exists()


def test_training_needs_more_episodes_than_it_validates_on(store, tmp_path, capsys):
    given = [f"data={store}", f"run_dir={tmp_path / 'out'}", *TINY, "validation_episodes=8"]
    assert "has 8 episodes; validation_episodes=8 leaves none" in refused(capsys, train, given)
    assert not (tmp_path / "out").exists()
