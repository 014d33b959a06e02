"""A bar on a terminal; lines without control characters elsewhere; nothing for what is over soon."""

import os
import pty
import subprocess
import sys
import termios
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COUNT = """
import sys, time
from vfplan.output import progress
progress.DELAY, progress.EVERY = map(float, sys.argv[1:3])
with progress.Bar(total=60, initial=10, unit="step", desc="train", disable=sys.argv[3] == "off") as bar:
    for step in range(50):
        time.sleep(0.01)
        bar.set_postfix_str("0.31 bits/dim")
        bar.update()
        if step == 25:
            bar.write("in between")
for _ in progress.Bar(range(3), unit="episode", disable=sys.argv[3] == "off"):
    time.sleep(0.15)
"""


@pytest.fixture
def counted(tmp_path):
    """What is printed, and what goes to standard error, a terminal or none."""

    def run(delay, every, switch="on", *, terminal):
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        called = [sys.executable, "-c", COUNT, str(delay), str(every), switch]
        if not terminal:
            done = subprocess.run(called, env=environment, capture_output=True, text=True, check=True)
            return done.stdout, done.stderr
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, 100))
        done = subprocess.run(called, env=environment, stdout=subprocess.PIPE, stderr=theirs, text=True, check=True)
        os.write(theirs, b"<end>")
        seen = b""
        while not seen.endswith(b"<end>"):
            seen += os.read(ours, 65536)
        return done.stdout, seen.decode().removesuffix("<end>")

    return run


def test_a_terminal_has_a_bar_with_rate_and_time_left(counted):
    printed, shown = counted(0, 60, terminal=True)
    assert "in between" in printed and "\r" in shown and "train:" in shown and "step/s" in shown and "60/60" in shown


def test_a_log_has_a_line_now_and_then(counted):
    printed, shown = counted(0, 0.1, terminal=False)
    lines = shown.splitlines()
    assert printed == "in between\n" and "\r" not in shown and 3 <= len(lines) <= 9
    assert lines[0].startswith("train: ") and " of 60 steps, " in lines[0] and lines[0].endswith(" left, 0.31 bits/dim")
    assert lines[-1].startswith("so far: ") and " of 3 episodes, " in lines[-1]


@pytest.mark.parametrize("terminal", [True, False])
def test_what_is_over_soon_says_nothing(counted, terminal):
    assert counted(60, 60, terminal=terminal) == ("in between\n", "")


@pytest.mark.parametrize("terminal", [True, False])
def test_what_is_switched_off_says_nothing(counted, terminal):
    assert counted(0, 0, "off", terminal=terminal) == ("in between\n", "")
