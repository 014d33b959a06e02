"""Ctrl-C that is held back: it comes, but late, and to this process alone."""

import contextlib
import io
import signal
import subprocess
import sys
import threading

import pytest

from vfplan.cli.config import command
from vfplan.collect import CollectConfig, environments
from vfplan.execution.interrupts import ctrl_c_held_back

INTERRUPT_ITSELF = "import os, signal; os.kill(os.getpid(), signal.SIGINT); print('alive')"


@pytest.fixture(autouse=True)
def ctrl_c():
    """The usual handler, also where the tests run in the background, with Ctrl-C ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def test_it_interrupts_at_the_end_of_the_block(ctrl_c):
    reached = []
    with pytest.raises(KeyboardInterrupt), ctrl_c_held_back():
        signal.raise_signal(signal.SIGINT)
        reached.append("the end")
    assert reached == ["the end"]


def test_one_that_another_thread_receives_waits_too():
    reached = []
    with pytest.raises(KeyboardInterrupt), ctrl_c_held_back():
        thread = threading.Thread(target=receive)
        thread.start()
        thread.join()
        reached.append("the end")
    assert reached == ["the end"]


def receive():
    # As in a thread that was there before: those started in the block inherit what it blocks.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    signal.raise_signal(signal.SIGINT)


def test_it_interrupts_also_where_the_block_fails():
    with pytest.raises(KeyboardInterrupt), ctrl_c_held_back():
        signal.raise_signal(signal.SIGINT)
        raise ImportError("initialization failed")


def test_afterwards_all_is_as_before(ctrl_c):
    with ctrl_c_held_back():
        pass
    assert signal.getsignal(signal.SIGINT) is ctrl_c
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with ctrl_c_held_back():
        with ctrl_c_held_back():
            pass
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_process_started_in_the_block_is_not_interrupted():
    with ctrl_c_held_back():
        done = subprocess.run([sys.executable, "-c", INTERRUPT_ITSELF], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "alive\n", "")


def test_other_threads_may_use_it():
    ended = []

    def use():
        with ctrl_c_held_back():
            ended.append("well")

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert ended == ["well"]


def test_a_command_interrupted_while_it_loads_modules_stops_in_one_line(tmp_path):
    """Compiled modules make an ImportError of an interrupt; here one is not even half loaded."""
    loaded, ran, err = [], [], io.StringIO()

    def loading():
        signal.raise_signal(signal.SIGINT)
        loaded.append("envs")
        return environments()

    main = command(ran.append, CollectConfig, name="collect", help="", sections={"env": loading})
    with contextlib.redirect_stderr(err), pytest.raises(SystemExit) as caught:
        main([f"out={tmp_path / 'store'}", f"run_dir={tmp_path / 'record'}"])
    assert caught.value.code == 130 and err.getvalue() == "stopped\n"
    assert loaded == ["envs"] and not ran


def test_sigusr1_ends_a_command_as_sigterm_does():
    script = (
        "import os, signal\nfrom vfplan.execution.interrupts import *\nwith sigusr1_terminates(), ctrl_c_held_back():\n"
    )
    script += "    os.kill(os.getpid(), signal.SIGUSR1)\n    print('the end of the block')\nprint('never')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (143, "the end of the block\n", "")
