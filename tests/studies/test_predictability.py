"""What can be known of what moves: found where the answer is known, the same for any number of workers."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import envs
from tests.refusal import refused
from vfplan.output.folder import RunDir
from vfplan.predictability import main
from vfplan.statistics import Interval
from vfplan.studies.predictability import run as predicting
from vfplan.studies.predictability.positions import Positions, Source, collect, places
from vfplan.studies.predictability.predictor import PAST, examples, fit

QUICK = ["episodes=24", "steps=20", "workers=1", "device=cpu", "env.length=8"]
SPREAD, NOISE = 0.02, 0.01  # m, standard deviations of what is known of a step and of what is not


def world(known=SPREAD, noise=NOISE, episodes=1500, objects=2, seed=0):
    """Objects that an action moves towards the hand or away, by `known` * action, and that noise moves besides."""
    rng = np.random.default_rng(seed)
    actions = rng.normal(size=(episodes, 10, 3)).astype(np.float32)
    steps = known * actions[:, :, None, :2] + rng.normal(0, noise, (episodes, 10, objects, 2))
    start = rng.uniform(-0.1, 0.1, (episodes, 1, objects, 2))
    place = np.concatenate([start, start + np.cumsum(steps, axis=1)], axis=1).astype(np.float32)
    return Positions(rng.normal(0, 0.1, (episodes, 11, 2)).astype(np.float32), place, actions)


def scored(world, threshold=2e-3, **settings):
    """The predictor of the first two thirds of the episodes, what is held out, and its scores there."""
    first = 2 * len(world.actions) // 3
    predictor = fit(world.take(slice(first)), threshold=threshold, **{"steps": 300, **settings})
    held_out = world.take(slice(first, None))
    return predictor, held_out, predictor.scores(held_out)


@pytest.fixture(scope="module")
def in_known_world():
    return scored(world())


def test_the_share_that_is_known_is_found(in_known_world):
    explained = in_known_world[2].explained()
    assert explained.estimate == pytest.approx(SPREAD**2 / (SPREAD**2 + NOISE**2), abs=0.04)
    assert explained.low < explained.estimate < explained.high < explained.low + 0.1


def test_a_component_is_worth_what_it_explains(in_known_world):
    predictor, held_out, scores = in_known_world
    whole = scores.explained().estimate
    left = [predictor.scores_without(held_out, place).explained().estimate for place in range(3)]
    # Twice half of what is known, for the other episode's value errs as much as the true one tells.
    assert left[:2] == pytest.approx([whole - SPREAD**2 / (SPREAD**2 + NOISE**2)] * 2, abs=0.12)
    assert left[2] == pytest.approx(whole, abs=0.02)


def test_nothing_is_explained_where_positions_and_actions_tell_nothing():
    explained = scored(world(known=0.0), steps=100)[2].explained()
    assert -0.06 < explained.estimate < 0.02


def test_only_steps_that_move_an_object_count():
    still = world(noise=0.0, episodes=60)
    still.objects[:, :, 1] = still.objects[:, :1, 1]
    scores = scored(still, steps=2)[2]
    assert scores.counted[..., 0].mean() > 0.95 and not scores.counted[..., 1].any()
    assert scores.moving == pytest.approx(0.5, abs=0.03)
    np.testing.assert_allclose(scores.moved[..., 1], 0)
    nowhere = np.zeros(scores.counted.shape[:2], dtype=bool)
    assert scores.explained(nowhere) is None and scores.explained(~nowhere) == scores.explained()


def test_the_network_is_told_the_past_alone_and_asked_for_the_next_displacement():
    given = world(episodes=3, objects=3)
    told, asked = examples(given, 5e-3)
    steps = given.actions.shape[1] - PAST + 1
    # An object's own and its neighbours' three places, its place, the hand's three places, three actions.
    assert told.shape == (3, steps, 3, 3 * 3 * 2 + 2 + 3 * 2 + 3 * 3) and asked.shape == (3, steps, 3, 2)
    for episode, step, which in ((0, 0, 0), (2, 4, 1)):
        now = given.objects[episode, step + PAST - 1]
        np.testing.assert_allclose(
            asked[episode, step, which] * 0.05, given.objects[episode, step + PAST, which] - now[which], atol=1e-6
        )
        seen = told[episode, step, which]
        nearest = np.argsort(np.linalg.norm(now - now[which], axis=1))
        around = seen[:18].reshape(PAST, 3, 2)[-1] * 0.05
        np.testing.assert_allclose(around, now[nearest] - now[which], atol=1e-6)
        np.testing.assert_array_equal(seen[-9:].reshape(PAST, 3), given.actions[episode, step : step + PAST])
    later = Positions(given.hand.copy(), given.objects.copy(), given.actions.copy())
    later.objects[:, 6:], later.hand[:, 6:], later.actions[:, 6:] = 9.0, 9.0, 9.0
    # Step 3 is of action 5, which leads from frame 5 to frame 6.
    np.testing.assert_array_equal(examples(later, 5e-3)[0][:, :4], told[:, :4])


def test_of_a_switch_only_the_sign_is_told():
    given = world(episodes=2)
    scaled = Positions(given.hand, given.objects, given.actions * np.float32([1, 1, 0.1]))
    one, other = (examples(each, 5e-3, switches=(2,))[0] for each in (given, scaled))
    np.testing.assert_array_equal(one, other)


def test_the_same_seed_fits_the_same_network():
    first, again, other = (scored(world(episodes=30), steps=5, seed=seed)[2] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.errors, again.errors)
    assert (first.errors != other.errors).any()


def test_episodes_do_not_depend_on_the_workers():
    source = Source(envs.config("push_bair", length=4), "mixed", seed=3, hold={2: -1.0})
    one, two = (collect(source, 30, workers, lambda done: None) for workers in (1, 2))
    whole = source.episodes(range(30))
    for name in ("hand", "objects", "actions"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
        np.testing.assert_array_equal(getattr(one, name), getattr(whole, name))
    assert one.objects.shape == (30, 5, 3, 2) and (one.actions[..., 2] == -1).all()


def test_places_are_read_from_pushing_and_from_push_t():
    hand, objects = places({"hand_xyz": np.arange(3.0), "object_xy": np.ones((2, 2))})
    assert hand.tolist() == [0, 1] and objects.shape == (2, 2)
    hand, objects = places({"pos_agent": np.zeros(2), "block_pose": np.array([250.0, 300.0, 1.5])})
    assert hand.shape == (2,) and objects.tolist() == [[250, 300]]
    assert places({"object_xy": np.ones((1, 2))})[0].shape == (0,)


def test_the_command_reports_the_data_policy_its_switches_and_what_is_held(tmp_path, capsys):
    main(["env=push_bair", *QUICK, f"run_dir={tmp_path / 'out'}"])
    found = json.loads((tmp_path / "out" / "predictability.json").read_text())
    names = [row["name"].strip() for row in found["rows"]]
    assert names == ["data", "lift on", "lift off", "close on", "close off", "held"]
    data, *parts, held = found["rows"]
    assert data["object_steps"] == held["object_steps"] == 4 * 6 * 3
    assert parts[0]["object_steps"] + parts[1]["object_steps"] == data["object_steps"]
    assert set(data["shuffled"]) == {"dx", "dy", "lift", "close"}
    # What is held is the same in every episode.
    assert held["shuffled"]["lift"] == held["shuffled"]["close"] == held["explained"] != held["shuffled"]["dx"]
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("push_bair, policy mixed: 4 of 24 episodes held out")
    assert printed[-2] == f"wrote {tmp_path / 'out' / 'predictability.json'}"
    assert printed[-1] == "next: python -m vfplan.collect env=push_bair episodes=10000 out=data/push_bair"
    assert max(map(len, printed[:-2])) <= 120


def test_a_registered_environment_that_tells_positions_works_too(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "path", [*sys.path, str(Path(__file__).parents[1] / "envs")])
    # A pixel is its unit; an action moves the dot by up to eight, all of which is known.
    given = ["env=gym", "env.id=registered:vfplan-test/Told-v0", "moving=1", *QUICK, "steps=300", "episodes=60"]
    main([*given, f"run_dir={tmp_path / 'out'}"])
    (row,) = json.loads((tmp_path / "out" / "predictability.json").read_text())["rows"]
    assert row["explained"]["estimate"] > 0.9 and max(one["estimate"] for one in row["shuffled"].values()) < 0.6
    assert (
        capsys.readouterr()
        .out.splitlines()[-1]
        .startswith("next: python -m vfplan.collect env=gym env.id=registered:vfplan-test/Told-v0")
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["env=gym", "env.id=vfplan-test/Dot-v0"], ["env.id=vfplan-test/Dot-v0", "info['object_xy']", "found nothing"]),
        (["env=gym", "env.id=Nope-v1"], ["env.id=Nope-v1 cannot be made"]),
        (["policy=mixd"], ["no policy 'mixd'; there are", "did you mean mixed"]),
        (["episodes=11"], ["episodes must be in"]),
        (["moving=0"], ["moving must be in"]),
        (["workers=-1"], ["workers must be in"]),
        (["env.length=2"], ["env.length must be at least 3", "got 2"]),
        (["device=gpu"], ["device must be"]),
        (["step=3"], ["unknown key 'step'; did you mean 'steps'"]),
    ],
)
def test_wrong_input_is_refused_in_one_line_and_nothing_is_written(arguments, words, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path, str(Path(__file__).parents[1] / "envs")])
    import registered  # noqa: F401

    message = refused(capsys, main, [*arguments, f"run_dir={tmp_path / 'out'}"])
    assert all(word in message for word in words), message
    assert not (tmp_path / "out").exists()


def test_a_world_that_stands_still_is_refused(tmp_path, capsys):
    given = [*QUICK, "moving=0.3", f"run_dir={tmp_path / 'out'}"]
    message = refused(capsys, main, given, begun=True)
    assert "in none of the 4 held-out episodes of row data is an object displaced by more than moving=0.3 m" in message
    assert not (tmp_path / "out").exists()


def test_a_part_in_which_nothing_moves_says_so(tmp_path):
    rows = [
        predicting.Row("data", 90, 0.1, Interval(0.8, 0.7, 0.9), {"dx": Interval(0.1, 0.0, 0.2), "dy": None}),
        predicting.Row("  lift on", 0, 0.0, None),
    ]
    report = predicting.Report("push", "mixed", "m", 0.005, 24, 4, rows)
    assert "nothing moves" in predicting.table(report)[-1] and "0.800 [0.700, 0.900]" in predicting.table(report)[-2]
    written = RunDir(tmp_path / "out", {}).write_json("predictability.json", report).read_text()
    assert json.loads(written)["rows"][1]["explained"] is None
