"""Rows on true tasks: what reaches them, what they depend on, and going on after a stop. The planners are tiny."""

import dataclasses
import itertools
import json
import shutil

import numpy as np
import pytest

import envs.task_set
import vfplan.control.agent
import vfplan.studies.benchmark.runner
from envs.push import PushEnv
from envs.scene import PRESETS
from tests.refusal import refused
from vfplan.benchmark import main as benchmark
from vfplan.control.searches import read_searches
from vfplan.control.session import push_tasks
from vfplan.plan import main as plan
from vfplan.studies.benchmark.policies import PolicyLoop, scripted
from vfplan.studies.benchmark.rows import BASELINES, rows
from vfplan.studies.benchmark.settings import BenchmarkConfig

TINY = "planner.samples=3 planner.elites=1 planner.iterations=1 control.replan_every=2"
CONFIG = BenchmarkConfig(
    PRESETS["push"], tasks="dev", num_tasks=3, lockstep=2, steps=3, settings=TINY, rows={"cem": "planner=cem"}
)


@pytest.fixture(scope="module")
def made():
    """All rows, in their true world."""
    return {row.name: row for row in rows(CONFIG, plan.configuration)}


def arguments(folder, *more, models="[oracle]"):
    return [
        "tasks=dev", "num_tasks=3", "lockstep=2", "steps=3", f"models={models}", f'settings="{TINY}"',
        f"run_dir={folder}", "device=cpu", *more,
    ]  # fmt: skip


def steady(patch):
    """By this clock everything takes half a second, and nobody commits while the tests run."""
    ticks = itertools.count()
    patch.setattr(vfplan.control.agent.time, "perf_counter", lambda: next(ticks) / 2)
    patch.setattr(vfplan.studies.benchmark.runner, "git_commit", lambda: "c" * 40)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a comparison that nothing interrupted."""
    folder = tmp_path_factory.mktemp("benchmark") / "run"
    with pytest.MonkeyPatch.context() as patch:
        steady(patch)
        benchmark(arguments(folder))
    return folder


def episode_files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.glob("episodes/**/*.json"))}


class Sealed(PushEnv):
    """A world whose state cannot be read, and which lies about everything but what the camera and the hand show."""

    open = False

    def step(self, action):
        self.open = True
        observation, *_ = super().step(action)
        self.open = False
        lie = np.random.default_rng().normal(size=(self.num_objects, 2))
        return observation, float(lie[0, 0]), True, True, {"object_xy": lie, "hand_xyz": lie[0]}

    def reset(self, **options):
        self.open = True
        observation, _ = super().reset(**options)
        self.open = False
        return observation, {"object_xy": np.full((self.num_objects, 2), np.nan)}

    @property
    def object_xy(self):
        assert self.open, "read the true position of an object"
        return super().object_xy

    def get_state(self):
        raise AssertionError("read the simulator's state")

    def render(self, hand_visible=True):
        raise AssertionError("looked through a camera of its own")


def with_false_goals(tasks):
    """The same starts and goal images; positions, states and actions that would give the goal away are wrong."""
    return dataclasses.replace(
        tasks,
        goal_xy=np.full_like(tasks.goal_xy, np.nan),
        start_xy=np.full_like(tasks.start_xy, np.nan),
        goal_state=np.full_like(tasks.goal_state, np.nan),
        actions=np.full_like(tasks.actions, np.nan),
    )


def test_nothing_from_the_simulator_reaches_a_planner_or_ends_an_episode(made, monkeypatch):
    honest = {name: row.loop.run(range(2)).actions for name, row in made.items() if not row.reads_simulator}
    assert set(honest) == {"random", "zero", "videoflow-icem", "cem"}
    monkeypatch.setattr(envs.task_set, "PushEnv", Sealed)
    for name, actions in honest.items():
        loop = made[name].loop
        monkeypatch.setattr(loop, "tasks", with_false_goals(loop.tasks))
        sealed = loop.run(range(2))
        assert np.array_equal(sealed.actions, actions)
        assert sealed.frames.shape[1] == CONFIG.steps + 1


def test_every_row_that_is_marked_so_reads_the_simulator(made, monkeypatch):
    monkeypatch.setattr(envs.task_set, "PushEnv", Sealed)
    for name in ("scripted", "simulator-state", "simulator-image"):
        assert made[name].reads_simulator
        with pytest.raises(AssertionError, match="read the"):
            made[name].loop.run(range(1))


def test_the_baselines_are_always_there(made):
    assert tuple(made)[: len(BASELINES)] == BASELINES
    assert made["simulator-image"].overrides == ("planner=icem", "model=oracle", *TINY.split())
    assert made["cem"].overrides == ("model=learned", "planner=cem", *TINY.split())


def test_a_group_gives_the_same_actions_whatever_ran_before(made):
    loop = made["videoflow-icem"].loop
    late = loop.run(range(2, 3)).actions
    loop.run(range(2))
    assert np.array_equal(loop.run(range(2, 3)).actions, late)


def test_zero_actions_leave_the_object_and_random_ones_differ_between_tasks(made):
    still, moving = (made[name].loop.run(range(2)) for name in ("zero", "random"))
    assert (still.actions == 0).all()
    assert not np.array_equal(moving.actions[0], moving.actions[1])
    assert np.array_equal(made["random"].loop.run(range(1, 2)).actions[0], moving.actions[1])


def test_the_scripted_pusher_brings_the_object_near_its_goal():
    tasks = push_tasks(PRESETS["push"], "dev", 4)
    trajectory = PolicyLoop(scripted, PRESETS["push"], tasks, steps=30, seed=0).run(range(4))
    for index, infos in enumerate(trajectory.infos):
        target = tasks.target[index]
        assert np.linalg.norm(infos[-1]["object_xy"][target] - tasks.goal_xy[index, target]) < 0.03


def test_the_true_distance_as_the_cost_solves_a_task():
    searched = "planner.samples=24 planner.elites=6"
    config = BenchmarkConfig(PRESETS["push"], tasks="dev", num_tasks=1, models="oracle", settings=searched)
    row = next(row for row in rows(config, plan.configuration) if row.name == "simulator-state")
    tasks, trajectory = row.loop.tasks, row.loop.run(range(1))
    target = tasks.target[0]
    assert np.linalg.norm(trajectory.infos[0][-1]["object_xy"][target] - tasks.goal_xy[0, target]) < 0.03


def test_a_row_is_what_the_command_plan_does(whole, tmp_path):
    given = ["tasks=dev", "num_tasks=3", "lockstep=2", "control.steps=3", "model=oracle", "gif=false", *TINY.split()]
    plan([*given, f"run_dir={tmp_path}", "device=cpu"])
    alone = [task["final_cm"] for task in json.loads((tmp_path / "results.json").read_text())["tasks"]]
    folder = whole / "episodes" / "oracle-icem"
    assert alone == [json.loads((folder / f"{task:04d}.json").read_text())["distance_cm"][-1] for task in range(3)]


def test_a_comparison_leaves_an_episode_per_row_and_task_and_its_tables(whole):
    names = {*BASELINES, "oracle-icem"}
    assert len(episode_files(whole)) == len(names) * (3 + 1)
    summary = json.loads((whole / "benchmark.json").read_text())
    assert {row["name"] for row in summary["rows"]} == names
    assert summary["reference"] == "oracle-icem"
    assert all((whole / f"{name}.png").stat().st_size > 1000 for name in ("success", "time", "distance"))
    table, marked = (whole / "table.txt").read_text(), (whole / "table.md").read_text()
    assert all(name in table and name in marked for name in names)
    assert table.startswith("python -m vfplan.benchmark tasks=dev")


@pytest.mark.parametrize("files", [4, 20])
def test_a_stopped_comparison_goes_on_and_gives_the_same_bytes(files, whole, tmp_path, monkeypatch):
    steady(monkeypatch)
    stops, write = itertools.count(), vfplan.studies.benchmark.episodes.write_json

    def write_until_killed(path, value):
        if next(stops) == files:
            raise KeyboardInterrupt
        write(path, value)

    with monkeypatch.context() as patch:
        patch.setattr(vfplan.studies.benchmark.episodes, "write_json", write_until_killed)
        with pytest.raises(SystemExit):
            benchmark(arguments(tmp_path))
    before = episode_files(tmp_path)
    assert 0 < len(before) < len(episode_files(whole)) and not (tmp_path / "benchmark.json").exists()
    benchmark(arguments(tmp_path))
    assert episode_files(tmp_path) == episode_files(whole)
    assert (tmp_path / "table.txt").read_text().splitlines()[1:] == (whole / "table.txt").read_text().splitlines()[1:]


def test_searches_of_rows_that_plan_are_kept_on_demand(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "run")
    benchmark(arguments(tmp_path / "run", "record=true", "workers=2"))
    kept = sorted(str(path.relative_to(tmp_path / "run" / "episodes")) for path in tmp_path.rglob("searches-*.npz"))
    planning = ("oracle-icem", "simulator-image", "simulator-state")
    assert kept == [f"{row}/searches-{group}.npz" for row in planning for group in ("0000-0001", "0002-0002")]
    searches = read_searches(tmp_path / "run" / "episodes" / kept[0], 2)
    episode = json.loads((whole / "episodes" / "oracle-icem" / "0001.json").read_text())
    np.testing.assert_allclose(searches.costs[:, 1, 0], episode["plan_cost"], rtol=1e-5)
    assert searches.futures.shape[-3:] == (16, 16, 3)


def test_worker_processes_find_the_same_episodes(whole, tmp_path):
    benchmark(arguments(tmp_path / "run", "workers=2"))
    shared, alone = episode_files(tmp_path / "run"), episode_files(whole)
    assert shared.keys() == alone.keys()
    for name, text in alone.items():
        timeless = [{**json.loads(t), "plan_seconds": None, "commit": None} for t in (text, shared[name])]
        assert timeless[0] == timeless[1], name


def test_a_finished_comparison_takes_further_rows_and_tasks_without_repeating_any(whole, tmp_path, monkeypatch):
    steady(monkeypatch)
    shutil.copytree(whole, tmp_path / "run")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").glob("episodes/*/000[01].json")}
    benchmark(arguments(tmp_path / "run", "num_tasks=4", 'rows={cem: "planner=cem"}'))
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in before.items())
    folder = tmp_path / "run" / "episodes"
    assert len(list(folder.glob("*/0003.json"))) == len(BASELINES) + 2
    # Task 2 was alone in its group and has a neighbour now, so both were run again side by side.
    assert json.loads((folder / "oracle-icem" / "0002.json").read_text())["lockstep_group"] == [2, 3]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (
            ['settings="control.replan_every=3"'],
            ["holds episodes with", "control.replan_every=2, not 3", "another run_dir"],
        ),
        (["seed=1"], ["random holds episodes with seed=0, not 1"]),
        (["data_policy=bair"], ["data-policy holds episodes with policy=mixed, not bair"]),
        (["steps=4"], ["steps=3, not 4"]),
    ],
)
def test_episodes_of_other_settings_are_not_mixed(more, words, whole, capsys):
    before = episode_files(whole)
    message = refused(capsys, benchmark, [*arguments(whole), *more])
    assert all(word in message for word in words)
    assert episode_files(whole) == before


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["env=pusch"], ["env 'pusch'", "did you mean 'push'"]),
        (["models=[]"], ["models must name at least one"]),
        (["tasks=tset"], ["tasks", "benchmark, dev"]),
        (["num_tasks=1000"], ["1000 tasks asked for, but push dev has 50"]),
        (["planners=[icem,icm]"], ["row oracle-icm: unknown planner 'icm'", "did you mean 'icem'"]),
        (["models=[/nowhere/x]"], ["row x-icem: no checkpoint at /nowhere/x"]),
        (["models=[a/checkpoint,b/a]"], ["rows of the same name", "a-icem"]),
        (['rows={a: "cost=pixle"}'], ["row a:", "did you mean 'pixel'"]),
        (['rows={a: "planner.smaples=3"}'], ["row a:", "did you mean 'planner.samples'"]),
        (['rows={a: "seed=3"}'], ["rows.a: seed is the same for all rows; give seed= to the benchmark"]),
        (['rows={a: "threads=1"}'], ["rows.a: threads is the same for all rows; give threads= to the benchmark"]),
        (['rows={a: "pixel"}'], ["rows.a: expected key=value", "'pixel'"]),
        (['rows={zero: "cost=pixel"}'], ["there is a row zero already"]),
        (['rows={a@b: "cost=pixel"}'], ["a name is letters, digits"]),
        (['settings="control.steps=3"'], ["settings: control.steps is the same for all rows; give steps="]),
        (['settings="planner.samples=x"'], ["planner.samples must be an integer"]),
        (["reference=best"], ["reference must be one of the rows random, zero", "'best'"]),
        (["data_policy=bare"], ["data_policy: no policy 'bare'", "did you mean bair?"]),
        (["workers=-1"], ["workers must be in"]),
        (["workers=2", "threads=2"], ["each of workers=2 processes has one thread; got threads=2: leave one out"]),
        (["steps=0"], ["steps must be in"]),
        (["lockstpe=3"], ["did you mean 'lockstep'"]),
    ],
)
def test_wrong_input_is_refused_in_one_line_and_nothing_is_written(more, words, tmp_path, capsys):
    given = {word.partition("=")[0]: word for word in [*arguments(tmp_path / "out"), *more]}
    message = refused(capsys, benchmark, list(given.values()))
    for word in words:
        assert word in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "words"), [(b"{", "not JSON"), (b"[]", "expected a JSON object"), (b"{}", "missing key")]
)
def test_a_damaged_episode_is_named(content, words, whole, tmp_path, capsys):
    shutil.copytree(whole, tmp_path / "run")
    (tmp_path / "run" / "episodes" / "zero" / "0001.json").write_bytes(content)
    message = refused(capsys, benchmark, arguments(tmp_path / "run"))
    assert "0001.json is damaged" in message and words in message and "remove it" in message
