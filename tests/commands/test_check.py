"""`vfplan.check` as a user runs it: what it prints, and how it ends."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults import bad_worlds
from tests.refusal import refused
from vfplan.check import main as check

ROOT = Path(__file__).parents[2]
DOT = "env.id=tests.envs.registered:vfplan-test"


def test_what_can_be_used_ends_with_the_next_command(capsys):
    check(["env=gym", f"{DOT}/Dot-v0"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "env=gym env.id=tests.envs.registered:vfplan-test/Dot-v0"
    assert lines[-2] == "can be used" and lines[-1].startswith(
        "next: python -m vfplan.collect env=gym env.id=tests.envs"
    )
    assert all(line.startswith("  has ") for line in lines[1:-2])


@pytest.mark.parametrize(
    ("env", "lacks"),
    [
        (f"{DOT}/Blind-v0", "actions, pixels"),
        (f"env.id={bad_worlds.__name__}:vfplan-bad/Exits-v0", "running"),
        ("env.id=CartPole-v1", "actions"),
    ],
)
def test_what_cannot_be_used_exits_with_1_and_says_why(env, lacks, capsys):
    with pytest.raises(SystemExit) as caught:
        check(["env=gym", env, "env.image_size=16"])
    said = capsys.readouterr()
    assert caught.value.code == 1 and said.err == ""
    assert said.out.splitlines()[-1] == f"cannot be used yet: mend {lacks}, then check again"
    for subject in lacks.split(", "):
        assert f"  lacks {subject}" in said.out
    assert said.out.count("needed: ") == said.out.count("fix: ") == len(lacks.split(", "))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["env=gym"], "env=gym needs env.id="),
        (["env=gym", "env.id=Nope-v1"], "env.id=Nope-v1 cannot be made: NameNotFound"),
        (["env=gym", "env.id=nowhere_at_all:Nope-v1"], "cannot be imported: ModuleNotFoundError"),
        (["env=gym", f"{DOT}/Dot-v0", "env.kwargs={colour: red}"], "cannot be made: TypeError"),
        (["env=pushh"], "unknown env 'pushh'; did you mean 'push'?"),
        (["env.length=0"], "env.length must be in [1, 1e5], got 0"),
        (["seed=-1"], "seed must be in [0, 2147483647], got -1"),
    ],
)
def test_wrong_input_is_refused_in_one_line(arguments, words, capsys):
    assert words in refused(capsys, check, arguments)


def test_no_torch_is_loaded():
    program = "import sys; from vfplan.check import main; main(['env.length=2']); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=False).returncode == 0
