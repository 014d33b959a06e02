"""A preset is a list of overrides: what is given besides goes before it, and the smoke test runs the whole chain."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import watched
from tests.refusal import refused
from vfplan import audit, plan

ROOT = Path(__file__).parents[2]
CHAIN = ("collect", "train", "evaluate", "plan", "benchmark")
PROGRAM = f"""
from importlib import import_module

if __name__ == "__main__":
    for command in {CHAIN}:
        import_module(f"vfplan.{{command}}").main(["preset=smoke"])
"""


def test_the_chain_of_the_smoke_preset_runs_without_extras(tmp_path):
    environment, imported = watched.environment(tmp_path, ROOT)
    called = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(called, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert imported.read_text() == ""
    for left in (
        "data/smoke/meta.json",
        "runs/smoke/checkpoint/model.safetensors",
        "runs/smoke-evaluate/index.html",
        "runs/smoke-plan/episodes.gif",
        "runs/smoke-benchmark/table.md",
    ):
        assert (tmp_path / left).is_file(), left


def test_what_is_given_besides_a_preset_holds():
    preset, given = (
        plan.main.configuration(["preset=smoke", *more]) for more in ([], ["num_tasks=5", "env=push_slip"])
    )
    assert (preset.num_tasks, preset.env.name) == (2, "push")
    assert (given.num_tasks, given.env.name, given.control.steps) == (5, "push_slip", preset.control.steps)


@pytest.mark.parametrize(
    ("command", "arguments", "words"),
    [
        (plan, ["preset=smok"], "unknown preset 'smok'; did you mean 'smoke'? (valid: smoke)"),
        (plan, ["preset=smoke", "preset=smoke"], "expected one preset, got smoke, smoke"),
        (audit, ["preset=smoke"], f"preset=smoke is for {', '.join(CHAIN)}; got audit"),
    ],
)
def test_a_preset_that_is_not_there_is_one_line(command, arguments, words, capsys):
    assert refused(capsys, command.main, arguments) == words


def test_help_names_the_presets_of_a_command(capsys):
    plan.main(["--help"])
    assert "presets (preset=name): smoke\n" in capsys.readouterr().out
    audit.main(["--help"])
    assert "presets" not in capsys.readouterr().out
