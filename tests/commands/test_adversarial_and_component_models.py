"""Adversarial models and those of components go through the commands, and what does not fit them is one line."""

import json

import pytest

from tests.refusal import refused
from vfplan import plan
from vfplan.control import run as planning
from vfplan.models.checkpoint import load_checkpoint
from vfplan.models.registry import family_name
from vfplan.studies.offline import battery
from vfplan.studies.offline.settings import EvaluateConfig
from vfplan.train import main as train
from vfplan.train import train as run_training

COMMON = ["learning.batch=[2]", "learning.frames=2", "learning.warmup=1", "validation_episodes=3", "save_every=2"]
COMMON += ["log_every=1", "device=cpu"]
VECTORS = ["model.pyramid.widths=[4,4,8]", "model.hidden=4"]
DRNET = [*VECTORS, "model.content=4", "model.pose=2", "model.judge=4", "learning.codes=0.5"]
VGAN = [*VECTORS, "model.code=4", "model.latent=2", "model.judge=[4,4]"]
DDPAE = [*VECTORS, "model.code=4", "model.content=4", "model.picture.widths=[4]", "model.picture_side=8"]
SAVP_VAE = ["model.width=2", "model.transformations=2", "model.encoder=2", "model.latent=2"]
JUDGES = ["model.judge=[4,4]", "model.judge_strides=[1,2]", "learning.judged_from=0.5"]
SAVP = [*SAVP_VAE, *JUDGES]


@pytest.mark.parametrize(
    ("name", "small", "reported"),
    [
        ("drnet", DRNET, ["reconstruction", "pose_error"]),
        ("vgan", VGAN, ["later_frames", "later_frames"]),
        ("ddpae", DDPAE, ["bits_per_dim", "bits_per_dim"]),
        ("savp", SAVP, ["absolute_error", "absolute_error"]),
    ],
)
def test_it_trains_resumes_and_plans(store, tmp_path, name, small, reported):
    run, planned = tmp_path / "run", tmp_path / "planned"
    given = [f"data={store}", f"model={name}", f"run_dir={run}", "allow_mismatch=true", *COMMON, *small]
    for steps in (2, 4):
        run_training(train.configuration([*given, f"learning.steps={steps}"]))
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    logged = {line["step"]: list(line)[1] for line in lines if "learning_rate" in line}
    assert [logged[step] for step in (1, 2, 3, 4)] == [reported[0], reported[1], reported[1], reported[1]]
    assert any("bits_per_dim" in key for line in lines for key in line) == (name == "ddpae")
    assert load_checkpoint(run / "checkpoint").model.config.name == name and family_name(name) == name
    scoring = ["planner=shooting", "planner.samples=3", "planner.horizon=2", "scoring.downscale=8"]
    options = [f"checkpoint={run / 'checkpoint'}", "num_tasks=1", "control.steps=2", f"run_dir={planned}", *scoring]
    planning.run(plan.main.configuration(options))
    assert (planned / "results.json").is_file()


@pytest.mark.parametrize(("name", "small"), [("drnet", DRNET), ("vgan", VGAN), ("ddpae", DDPAE), ("savp", SAVP)])
def test_evaluation_says_what_has_no_likelihood(store, tmp_path, name, small):
    run = tmp_path / "run"
    given = [f"data={store}", f"model={name}", f"run_dir={run}", "learning.steps=1", *COMMON, *small]
    run_training(train.configuration(given))
    few = {"rollout_samples": 2, "temperature_samples": 2, "detection_steps": 2, "long_steps": 4}
    battery.run(EvaluateConfig(data=str(store), checkpoint=str(run / "checkpoint"), run_dir=str(tmp_path / "e"), **few))
    report = json.loads((tmp_path / "e" / "likelihood.json").read_text())
    said = f"{name.capitalize()} gives no likelihoods: it has no log_prob"
    absent = {key for key, value in report["sections"].items() if value == {"absent": said}}
    assert absent == (set() if name == "ddpae" else {"likelihood", "detection"})
    assert ("bits_per_dim" in report) == (name == "ddpae")


def test_savp_begins_with_a_trained_savp_vae(store, tmp_path, capsys):
    """The same from the same seed, discriminators included; its sizes are those of the checkpoint."""
    vae, *runs = (tmp_path / name for name in ("vae", "one", "other"))
    common = [f"data={store}", "learning.steps=1", *COMMON]
    run_training(train.configuration([*common, "model=savp_vae", f"run_dir={vae}", *SAVP_VAE]))
    given = [*common, "model=savp", f"init={vae / 'checkpoint'}", *JUDGES]
    for run in runs:
        run_training(train.configuration([*given, f"run_dir={run}"]))
    one, other = (load_checkpoint(run / "checkpoint") for run in runs)
    assert one.sha256 == other.sha256 and one.model.config.width == 2
    assert "has model.width=2; this run needs 4" in refused(capsys, train, [*given, "model.width=4"])
    copying = tmp_path / "copying"
    copies = ["model=savp_vae", "model.emission=copy", f"run_dir={copying}", *SAVP_VAE]
    run_training(train.configuration([*common, *copies]))
    said = "savp needs an emission of one scale, sigma or laplace; got copy"
    assert said in refused(capsys, train, [*given, f"init={copying / 'checkpoint'}"])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            ["model=drnet", "model.pyramid.widths=[4,4,4,4,4,4,4]"],
            "image_size=64 cannot be halved for 7 pyramid.widths",
        ),
        (["model=drnet", "learning.batch=[1]"], "learning does not fit: a micro-batch needs 2 windows or more"),
        (["model=drnet", "learning.codes=1"], "codes must be in [0.001, 0.999], got 1"),
        (["model=vgan", "model.judge=[4,4,4,4,4,4,4]"], "image_size=64 cannot be halved for 7 widths of judge"),
        (["model=ddpae", "model.picture_side=6"], "picture_side=6 cannot be halved for 2 picture.widths"),
        (["model=savp", "model.judge_strides=[2]"], "judge_strides needs 7 numbers, one for each of judge"),
        (["model=savp", "model.emission=copy"], "unknown key 'model.emission'"),
        (["model=savp", "learning.loss=likelihood"], "unknown key 'learning.loss'"),
        (["model=savp", "learning=savp_vae"], "savp is another kind of model than learning=savp_vae is for"),
        (["model=vgan", "model.past_frames=2"], "past_frames must be in [1, 1], got 2"),
        (["model=vgan", "learning.rule=wgan"], "unknown learning.rule 'wgan'"),
        (["model=drnet", "hand=told"], "drnet cannot be told where the hand is"),
        (["model=drnet", "learning=svg_lp"], "drnet is another kind of model than learning=svg_lp is for"),
        (["model=drnet", "model.posse=3"], "did you mean 'model.pose'?"),
    ],
)
def test_what_does_not_fit_is_one_line(store, tmp_path, capsys, given, said):
    common = [f"data={store}", "validation_episodes=3", f"run_dir={tmp_path / 'run'}"]
    assert said in refused(capsys, train, [*common, *given])
