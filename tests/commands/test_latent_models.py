"""Models with latents go through the commands, and what does not fit them is one line."""

import json

import pytest

from tests.commands.test_commands import FEW
from tests.refusal import refused
from vfplan import plan
from vfplan.collect import main as collect
from vfplan.control import run as planning
from vfplan.evaluate import main as evaluate
from vfplan.models.checkpoint import load_checkpoint
from vfplan.monitor import main as monitor
from vfplan.train import main as train
from vfplan.train import train as run_training

VECTORS = ["model.pyramid.widths=[4,4,8]", "model.code=4", "model.hidden=4", "model.latent=2"]
WARPS = ["model.width=2", "model.transformations=2"]
MAPS = ["model.widths=[4,4,8]", "model.latent=[1,0,2]"]
VECTOR = ["model.widths=[4,4,8]", "model.latent=4", "model.field=4"]
SIZES = {
    "sv2p": WARPS,
    "cdna": WARPS,
    "savp_vae": [*WARPS, "model.encoder=2", "model.latent=2"],
    "encodedec": VECTOR,
    "svg_lp": VECTORS,
    "svg_fp": VECTORS,
    "svg_prime": VECTORS,
    "p2p": VECTORS,
    "vrnn": MAPS,
    "vrnn_1l": MAPS,
}
SMALL = [
    "learning.batch=[2]",
    "learning.frames=2",
    "learning.warmup=1",
    "validation_episodes=3",
    "save_every=2",
    "log_every=1",
    "device=cpu",
]


@pytest.mark.parametrize(
    ("name", "emission"),
    [
        ("svg_lp", "sigma"),
        ("svg_fp", "copy"),
        ("svg_prime", "laplace"),
        ("sv2p", "copy"),
        ("cdna", "sigma"),
        ("savp_vae", "laplace"),
        ("vrnn", "copy"),
        ("vrnn_1l", "sigma"),
        ("p2p", "sigma"),
        ("encodedec", "laplace"),
    ],
)
def test_a_model_with_latents_trains_resumes_and_plans(store, tmp_path, name, emission):
    run, planned = tmp_path / "run", tmp_path / "planned"
    given = [f"data={store}", f"model={name}", f"model.emission={emission}", f"run_dir={run}", *SIZES[name], *SMALL]
    for steps in (2, 4):
        run_training(train.configuration([*given, f"learning.steps={steps}", "allow_mismatch=true"]))
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "kl_bits" in line] == [1, 2, 3, 4]
    assert load_checkpoint(run / "checkpoint").model.config.name == name
    scoring = ["planner=shooting", "planner.samples=3", "planner.horizon=2", "scoring.downscale=8"]
    options = [f"checkpoint={run / 'checkpoint'}", "num_tasks=1", "control.steps=2", f"run_dir={planned}", *scoring]
    planning.run(plan.main.configuration(options))
    assert (planned / "results.json").is_file()


@pytest.fixture(scope="module")
def small_store(tmp_path_factory):
    """Of images whose coarsest maps, of three scales, have two pixels a side."""
    folder = tmp_path_factory.mktemp("small") / "push"
    given = ["env.image_size=16", "env.length=5", "episodes=6", "workers=1"]
    collect(["env=push", *given, f"out={folder}", f"run_dir={folder.parent / 'record'}"])
    return folder


@pytest.mark.parametrize("name", ["sv2p", "cdna", "savp_vae", "vrnn", "p2p", "encodedec"])
def test_what_is_trained_is_evaluated_and_watched(small_store, tmp_path, name):
    run = tmp_path / "run"
    common = [f"data={small_store}", "device=cpu"]
    train([*common, f"model={name}", f"run_dir={run}", *SIZES[name], *SMALL, "learning.steps=2"])
    checkpoint = f"checkpoint={run / 'checkpoint'}"
    evaluate([*common, checkpoint, f"run_dir={tmp_path / 'tested'}", *FEW, "long_steps=3"])
    found = json.loads((tmp_path / "tested" / "likelihood.json").read_text())
    assert found["bound"] == ("exact" if name == "cdna" else "elbo") and found["bits_per_dim"]["mean"] > 0
    quick = ["calibration_episodes=2", "false_alarms=0.5", "faults=[]", "fault_from=0", "fault_to=1", "control.steps=2"]
    tiny = ["env.image_size=16", "planner.samples=3", "planner.elites=1", "planner.iterations=1", "planner.horizon=2"]
    monitor([checkpoint, "device=cpu", *tiny, *quick, f"run_dir={tmp_path / 'watched'}"])
    assert (tmp_path / "watched" / "surprise.json").is_file()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["model.emission=cpy"], "unknown model.emission 'cpy'; did you mean 'copy'?"),
        (["model.pyramid.widths=[4,4,4,4,4,4,4]"], "image_size=64 cannot be halved for 7 pyramid.widths"),
        (["model.pyramid.blocks=[1]"], "needs style=pooled"),
        (["hand=told"], "svg_lp cannot be told where the hand is"),
        (["learning=videoflow"], "svg_lp is another kind of model than learning=videoflow is for"),
        (["model=p2p", "model.prior=fixed"], "unknown model.prior 'fixed'"),
        (["model=p2p", "learning.batch=[1]"], "goals=0.5 of 1 windows leaves none with a goal, or none without"),
        (["model=p2p", "learning=svg_lp"], "p2p is another kind of model than learning=svg_lp is for"),
        (["model=encodedec", "model.emission=copy"], "unknown model.emission 'copy'"),
        (["model=encodedec", "learning.sampling_decay=5"], "sampling_decay must be 0 for encodedec"),
        (["model=vrnn", "model.widths=[4,4]"], "latent needs 2 numbers, one for each of widths"),
        (["model=vrnn", "model.latent=[1]"], "latent needs 6 numbers, one for each of widths"),
        (["learning.loss=published", "model.emission=copy"], "loss=published needs model.emission=sigma or laplace"),
    ],
)
def test_what_does_not_fit_is_one_line(store, tmp_path, capsys, given, said):
    common = [f"data={store}", "model=svg_lp", "validation_episodes=3", f"run_dir={tmp_path / 'run'}"]
    assert said in refused(capsys, train, [*common, *given])


@pytest.mark.parametrize(
    ("model", "given", "said"),
    [
        ("sv2p", ["model.latent=perstep"], "unknown model.latent 'perstep'; did you mean 'per_step'?"),
        ("sv2p", ["learning=svg_lp"], "sv2p is another kind of model than learning=svg_lp is for"),
        ("cdna", ["learning.prior_steps=2"], "learning.prior_steps must be in [0, 1], got 2"),
        ("savp_vae", ["hand=told"], "savp_vae cannot be told where the hand is"),
        ("savp_vae", ["learning.loss=published", "model.emission=copy"], "needs model.emission=sigma or laplace"),
    ],
)
def test_what_does_not_fit_models_that_move_pixels_is_one_line(store, tmp_path, capsys, model, given, said):
    common = [f"data={store}", f"model={model}", "validation_episodes=3", f"run_dir={tmp_path / 'run'}"]
    assert said in refused(capsys, train, [*common, *given])
