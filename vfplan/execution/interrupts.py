"""Ctrl-C at a moment that suits: not while something is half done that would then complain at length."""

import contextlib
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def ctrl_c_held_back() -> Iterator[None]:
    """Let Ctrl-C interrupt only at the end of the block, and never a process that is started in it.

    For starting processes, and for loading modules: compiled ones make an ImportError of an interrupt. Outside the
    main thread, which alone Ctrl-C interrupts, it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []
    # Blocking is for the processes started here, which inherit it. For this one it does not do: the signal would come
    # by way of another thread.
    handler = signal.signal(signal.SIGINT, lambda number, frame: received.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, handler)
        if received:
            signal.raise_signal(signal.SIGINT)
