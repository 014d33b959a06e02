"""Collecting, training and planning in an environment that vfplan did not make."""

import json

import pytest

from envs import GymEnv
from tests.refusal import refused
from vfplan.collect import main as collect
from vfplan.data.store import EpisodeStore
from vfplan.plan import main as plan
from vfplan.train import main as train

DOT = ["env=gym", "env.id='tests.envs.registered:vfplan-test/Dot-v0'", "env.goal_steps=5"]
PIXELS = ["env=gym", "env.id='tests.envs.registered:vfplan-test/Pixels-v0'"]
QUICK = ["num_tasks=2", "control.steps=4", "device=cpu"]
TINY = [
    "model.priors=[{widths:[4],blocks:[1]},{widths:[4],blocks:[1]},{widths:[4,8],blocks:[1,1]}]",
    "model.flow_width=4",
    "model.condition_dim=4",
    "learning.batch=[2,2,4]",
    "learning.steps=2",
    "learning.warmup=1",
    "validation_episodes=2",
    "validate_every=2",
    "save_every=2",
    "device=cpu",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gym")
    collect([*DOT, "episodes=6", f"out={folder / 'data'}", "workers=1", f"run_dir={folder / 'record'}"])
    train([f"data={folder / 'data'}", f"run_dir={folder / 'run'}", *TINY])
    return folder


def test_a_store_says_which_environment_it_holds_and_has_no_hand(run):
    store = EpisodeStore.open(run / "data")
    assert store.meta.policy == "smooth" and store.meta.description["id"] == "vfplan-test/Dot-v0"
    assert store.action_dim == 2 and store.episode(0).hand.shape == (31, 0)


def test_planning_with_a_trained_model_writes_results_and_a_gif(run, tmp_path):
    quick = [
        *QUICK,
        "planner.samples=4",
        "planner.elites=2",
        "planner.iterations=1",
        "cost=goal_image",
        "cost.chroma=false",
    ]
    plan([*DOT, f"checkpoint={run / 'run' / 'checkpoint'}", f"run_dir={tmp_path / 'out'}", *quick])
    report = json.loads((tmp_path / "out" / "results.json").read_text())
    assert report["num_tasks"] == 2 and report["model"] == "videoflow" and len(report["tasks_sha256"]) == 64
    assert report["solved"]["low"] <= report["solved"]["rate"] <= report["solved"]["high"]
    for row in report["tasks"]:
        assert row["closest"] <= row["final"] and row["reward"] > 0
    assert (tmp_path / "out" / "episodes.gif").stat().st_size > 1000


def test_doing_nothing_without_any_checkpoint_leaves_all_of_the_distance(tmp_path):
    plan([*DOT, "planner=zero", f"run_dir={tmp_path / 'out'}", "gif=false", *QUICK])
    report = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [row["final"] for row in report["tasks"]] == [1.0, 1.0] and report["solved"]["rate"] == 0
    assert report["model"] == "still" and report["checkpoint_sha256"] is None


def test_keyword_arguments_reach_the_environment():
    config = plan.configuration([*DOT, "env.kwargs={radius: 5, end: 9}"])
    assert config.env.kwargs == {"radius": 5, "end": 9}
    env = GymEnv(config.env)
    assert env._env.unwrapped.radius == 5
    with pytest.raises(ValueError, match=r"cannot be made: TypeError: .*colour"):
        GymEnv(plan.configuration([*DOT, "env.kwargs={colour: 5}"]).env)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([*DOT, "model=oracle"], "env=gym cannot give one"),
        (DOT, "no checkpoint ships for env=gym; set checkpoint="),
        ([*DOT, "planner=random", "planner.samples=2"], "no checkpoint ships"),
        ([*DOT, "planner=random", "num_tasks=999"], "num_tasks=999, but gym benchmark has 200 tasks"),
        ([*DOT, "planner=random", "scoring.downscale=3"], "scoring.downscale must divide the image size 64; got 3"),
        (["env=gym", "planner=random"], "env=gym needs env.id="),
        (["env=gym", "env.id=CartPole-v1", "planner=random"], "found Discrete(2)"),
    ],
)
def test_wrong_input_to_plan_is_refused_in_one_line_and_nothing_is_written(arguments, words, tmp_path, capsys):
    assert words in refused(capsys, plan, [*arguments, f"run_dir={tmp_path / 'out'}", "device=cpu"])
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_of_another_environment_is_refused(run, tmp_path, capsys):
    given = [f"checkpoint={run / 'run' / 'checkpoint'}", f"run_dir={tmp_path / 'out'}"]
    assert "was trained on id=vfplan-test/Dot-v0" in refused(capsys, plan, [*PIXELS, *given])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([*DOT, "policy=waypoints"], "needs a hand and objects, which env=gym has not; use smooth"),
        (["env=gym", "env.id=CartPole-v1"], "found Discrete(2)"),
        (["env=push", "policy=smoth"], "did you mean smooth"),
    ],
)
def test_wrong_input_to_collect_is_refused_in_one_line(arguments, words, tmp_path, capsys):
    given = [f"out={tmp_path / 'data'}", f"run_dir={tmp_path / 'out'}"]
    assert words in refused(capsys, collect, [*arguments, *given])
    assert not (tmp_path / "data").exists()
