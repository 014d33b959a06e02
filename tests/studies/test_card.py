"""The card of a checkpoint: facts, numbers with their commands, texts that stay; and files of strangers stay text."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.refusal import refused
from vfplan.card import main
from vfplan.evaluate import main as evaluate
from vfplan.models.checkpoint import load_checkpoint
from vfplan.studies.card.kept import kept, marked

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkpoint(run, tmp_path):
    return Path(shutil.copytree(run / "checkpoint", tmp_path / "checkpoint"))


@pytest.fixture(scope="module")
def planned(run, tmp_path_factory):
    """A run of plan with the checkpoint, as a user starts it."""
    folder = tmp_path_factory.mktemp("planned") / "run"
    given = ["env=push", f"checkpoint={run / 'checkpoint'}", "planner=random", "num_tasks=2", "control.steps=2"]
    called = [sys.executable, "-m", "vfplan.plan", *given, "gif=false", f"run_dir={folder}"]
    subprocess.run(called, cwd=ROOT, check=True, capture_output=True)
    return folder


def made(checkpoint, *given):
    main([f"checkpoint={checkpoint}", *given])
    return (checkpoint / "README.md").read_text()


def test_a_card_has_the_facts_of_the_checkpoint(checkpoint):
    card, loaded = made(checkpoint), load_checkpoint(checkpoint)
    training = loaded.training
    for fact in (loaded.sha256, training["data"]["digest"], training["versions"]["torch"]):
        assert f"`{fact}`" in card
    commit = training["commit"]  # none where the files are no git checkout
    assert f"`{commit}`" in card if commit else "| commit |" not in card
    assert "`env=push`" in card and "8 episodes of 30 actions" in card and "the last 3 held out" in card
    count = sum(parameter.numel() for parameter in loaded.model.parameters())
    assert f"{count / 1e6:.1f} M parameters" in card


def test_the_front_matter_is_what_the_hub_reads(checkpoint):
    _, front, _ = made(checkpoint, "license=mit").split("---\n", 2)
    about = yaml.safe_load(front)
    assert about["license"] == "mit" and about["library_name"] == "vfplan" and about["pipeline_tag"] == "robotics"
    assert "world-model" in about["tags"] and "videoflow" in about["tags"]


def test_numbers_come_with_interval_and_command(checkpoint, planned):
    card = made(checkpoint, f"results={planned}")
    rate = json.loads((planned / "results.json").read_text())["solved_5cm"]
    low, high = 100 * rate["low"], 100 * rate["high"]
    assert f"| within 5 cm at the end | **{100 * rate['rate']:.1f} %** [{low:.1f}, {high:.1f}] |" in card
    assert f"checkpoint={checkpoint.parent}" not in card and "`python -m vfplan.plan env=push checkpoint=" in card
    assert "| 2 tasks | |" in card


def test_likelihoods_and_comparisons_count_too(checkpoint, store, planned, tmp_path):
    few = ["rollout_samples=2", "temperature_samples=2", "detection_steps=2", "long_steps=30", "device=cpu"]
    evaluate([f"checkpoint={checkpoint}", f"data={store}", f"run_dir={tmp_path / 'evaluated'}", *few])
    row = {
        "name": "mine-icem",
        "about": {"checkpoint_sha256": load_checkpoint(checkpoint).sha256},
        "num_tasks": 9,
        "end": {"5 cm": {"rate": 0.5, "low": 0.25, "high": 0.75}},
        "distance_cm": {"median": 1.234},
    }
    other = {**row, "name": "other-icem", "about": {"checkpoint_sha256": "0" * 64}}
    compared = shutil.copytree(planned, tmp_path / "compared")
    (compared / "results.json").unlink()
    (compared / "benchmark.json").write_text(json.dumps({"rows": [row, other]}))
    card = made(checkpoint, f"results=[{planned},{tmp_path / 'evaluated'},{compared}]")
    bits = json.loads((tmp_path / "evaluated" / "likelihood.json").read_text())["bits_per_dim"]
    assert f"{bits['mean']:.4f} [{bits['low']:.4f}, {bits['high']:.4f}]" in card
    assert "| mine-icem | within 5 cm **50.0 %** [25.0, 75.0]; median distance 1.2 cm; 9 tasks |" in card
    assert "other-icem" not in card
    assert [card.count(f"`python -m vfplan.{verb} ") for verb in ("evaluate", "benchmark")] == [1, 1]


def test_own_texts_and_old_numbers_stay(checkpoint, planned):
    card = made(checkpoint, f"results={planned}")
    edited = card.replace(marked("recipe", ""), marked("recipe", "Bake it.\n\nTwice."))
    edited = edited.replace("# Checkpoint `push`", "# Something else")
    (checkpoint / "README.md").write_text(edited)
    again = made(checkpoint)
    assert kept(again)["recipe"] == "Bake it.\n\nTwice." and kept(again)["measured"] == kept(card)["measured"] != ""
    assert "# Something else" not in again and made(checkpoint) == again


def test_a_readme_of_somebody_is_not_overwritten(checkpoint, capsys):
    (checkpoint / "README.md").write_text("# My notes\n")
    assert "has none of the markers of a card" in refused(capsys, main, [f"checkpoint={checkpoint}"])
    assert (checkpoint / "README.md").read_text() == "# My notes\n"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "results.json").unlink(), "no results in"),
        (lambda folder: (folder / "results.json").write_text("{"), "is damaged (not JSON"),
        (lambda folder: (folder / "provenance.json").unlink(), "cannot read"),
        (lambda folder: change(folder, checkpoint_sha256="0" * 64), "is of other weights than"),
        (lambda folder: change(folder, num_tasks="many"), "is damaged: ValueError"),
        (lambda folder: change(folder, solved_5cm={"rate": {}, "low": 0, "high": 0}), "is damaged: TypeError"),
        (lambda folder: change(folder, solved_5cm={"rate": 10**400, "low": 0, "high": 0}), "is damaged: OverflowError"),
    ],
)
def test_results_that_are_none_are_one_line(spoil, message, checkpoint, planned, tmp_path, capsys):
    folder = shutil.copytree(planned, tmp_path / "run")
    spoil(folder)
    assert message in refused(capsys, main, [f"checkpoint={checkpoint}", f"results={folder}"])
    assert not (checkpoint / "README.md").exists()


def change(folder, **values):
    content = json.loads((folder / "results.json").read_text())
    (folder / "results.json").write_text(json.dumps({**content, **values}))


def test_what_files_say_stays_text(checkpoint, planned, tmp_path):
    evil = "x`\n\n<!-- /measured --><script>alert(1)</script>\n# [Click](http://evil) | "
    description = json.loads((checkpoint / "config.json").read_text())
    description["environment"] = {"name": evil, "renderer": evil, "object_names": [evil]}
    description["training"] |= {
        "command": ["train.py", evil],
        "commit": evil,
        "seconds": 10**400,
        "versions": {"torch": evil},
    }
    description["training"]["stores"] = [{"policy": evil, "episodes": evil, "digest": evil}]
    (checkpoint / "config.json").write_text(json.dumps(description))
    folder = shutil.copytree(planned, tmp_path / "run")
    change(folder, **{evil: {"rate": 0.5, "low": 0, "high": 1}})
    card = made(checkpoint, f"results={folder}")
    assert "<script" not in card and "\n# [" not in card
    outside = "".join(card.split("`")[0::2])
    assert "](http" not in outside and card.count("<!-- /measured -->") == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["checkpoint=nowhere"], "no checkpoint at nowhere"),
        (["checkpoint=push", "license=MIT: yes"], "license must be an identifier"),
        (["checkpoint=hub:someone/a@main"], "the cache of the Hub is not for cards: give out=FILE"),
        (["checkpoint=push", "out=/"], "out= is the file of the card, and / is a folder"),
        ([], "checkpoint"),
    ],
)
def test_mistakes_are_one_line(given, message, capsys):
    assert message in refused(capsys, main, given)
