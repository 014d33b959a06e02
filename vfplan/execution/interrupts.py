"""Signals at a moment that suits: not while something is half done that would then complain at length."""

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

HELD = (signal.SIGINT, signal.SIGUSR1)
TERMINATED = 128 + signal.SIGTERM


@contextlib.contextmanager
def ctrl_c_held_back() -> Iterator[None]:
    """Let Ctrl-C and SIGUSR1 interrupt only at the end of the block, and never a process that is started in it.

    For starting processes, and for loading modules: compiled ones make an ImportError of an interrupt. Outside the
    main thread, which alone Ctrl-C interrupts, it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []
    # Blocking is for the processes started here, which inherit it. For this one it does not do: the signal would come
    # by way of another thread.
    handlers = {number: signal.signal(number, lambda number, frame: received.append(number)) for number in HELD}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if received:
            signal.raise_signal(received[0])


@contextlib.contextmanager
def sigusr1_terminates() -> Iterator[None]:
    """Let SIGUSR1, which schedulers send before they kill, end the process as SIGTERM does: exit code 143."""
    with _handled({signal.SIGUSR1: lambda number, frame: sys.exit(TERMINATED)}):
        yield


@contextlib.contextmanager
def sigterm_unwinds() -> Iterator[None]:
    """Let SIGTERM end the process by way of what is to be done on the way out, as ending jobs elsewhere: code 143."""
    with _handled({signal.SIGTERM: lambda number, frame: sys.exit(TERMINATED)}):
        yield


@contextlib.contextmanager
def stop_asked() -> Iterator[Callable[[], int]]:
    """Turn SIGTERM, SIGUSR1 and the first Ctrl-C into an exit code for the end of the step under way; 0 without one.

    A second Ctrl-C interrupts at once.
    """
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if received and number == signal.SIGINT:
            raise KeyboardInterrupt
        received.append(number)

    def exit_code() -> int:
        if not received:
            return 0
        return 128 + signal.SIGINT if received[0] == signal.SIGINT else TERMINATED

    with _handled(dict.fromkeys((signal.SIGTERM, *HELD), note)):
        yield exit_code


@contextlib.contextmanager
def _handled(handlers: dict[int, Callable[[int, FrameType | None], object]]) -> Iterator[None]:
    """Handle these signals so in the block; outside the main thread, which alone may, nothing is done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
