"""No command imports a package of an extra that it was not asked for, in none of its processes."""

import shlex
import subprocess
import sys
from pathlib import Path

from tests.commands import watched
from tests.commands.every_setting import GIVEN
from tests.commands.test_presets import CHAIN
from tests.documents.reader import SMALL, softmotion

ROOT = Path(__file__).parents[2]
CALLS = {
    "audit": "model=oracle num_tasks=1 num_states=2 control.steps=4 planner.samples=8 planner.elites=2",
    "card": "checkpoint=RUN/checkpoint out=card.md",
    "check": "env=push_slip",
    "compare": shlex.join(["data=STORE", "heldout=SECOND", *SMALL["compare"]]),
    "convert": "source=softmotion30_44k shard_episodes=2 workers=2",
    "data export": "--help",
    "data import": "--help",
    "data inspect": "data=STORE",
    "data merge": "data=[STORE,STORE] out=merged",
    "data preview": "data=STORE out=seen",
    "data repair": "data=merged",
    "data split": "data=merged held_out=0.5",
    "data verify": "data=STORE",
    "doctor": "",
    "generate": "source=slip episodes=4 workers=2",
    "monitor": (
        "checkpoint=RUN/checkpoint calibration_episodes=20 faults=[] control.steps=2 planner.samples=4 "
        "planner.elites=2 planner.iterations=1 fault_from=1 fault_to=1"
    ),
    "predictability": "episodes=12 steps=2 workers=2",
    "report": "RUN",
    "speed": "models=[videoflow] rows=1 steps=1 repeats=1",
}
"""What those that the smoke preset leaves out are given."""

PROGRAM = """
import shlex
from importlib import import_module

if __name__ == "__main__":
    for call in open("calls").read().splitlines():
        command, *words = shlex.split(call)
        if command == "data":
            main, words = import_module("vfplan.data.__main__").main, words
        else:
            main = import_module(f"vfplan.{command}").main
        try:
            main(words)
        except SystemExit as end:
            assert not end.code, call
"""


def test_extras_are_not_imported_unless_asked_for(store, second_store, run, tmp_path):
    assert {*CALLS, *CHAIN} >= {*GIVEN}
    softmotion(tmp_path)
    calls = "\n".join(f"{command} {words}" for command, words in CALLS.items())
    for name, path in {"STORE": store, "SECOND": second_store, "RUN": run}.items():
        calls = calls.replace(name, str(path))
    (tmp_path / "calls").write_text(calls)
    (tmp_path / "program.py").write_text(PROGRAM)
    environment, imported = watched.environment(tmp_path, ROOT)
    called = [sys.executable, "program.py"]
    done = subprocess.run(called, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert imported.read_text() == ""


def test_a_stand_in_that_is_imported_is_found_out(tmp_path):
    environment, imported = watched.environment(tmp_path, ROOT)
    for name in watched.EXTRAS:
        subprocess.run(
            [sys.executable, "-S", "-c", f"import {name}"], env=environment, capture_output=True, check=False
        )
    found = [line.partition(" ")[0] for line in imported.read_text().splitlines()]
    assert found == list(watched.EXTRAS)
