"""What a process is asked to do that no file may make it do: unpickle, import what a file names, call somebody."""

import contextlib
import sys
from dataclasses import dataclass, field

CALLS = ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto", "urllib.Request", "os.system")


@dataclass
class Seen:
    """Names of what was seen."""

    unpickled: list[str] = field(default_factory=list)
    imported: set[str] = field(default_factory=set)
    called: list[str] = field(default_factory=list)


_watching: Seen | None = None
_installed = False


@contextlib.contextmanager
def watched():
    """Everything that happens in the block, in this process; results of our own workers are no files."""
    global _watching, _installed
    if not _installed:
        sys.addaudithook(_hook)  # stays for good, and does nothing outside
        _installed = True
    _watching = Seen()
    try:
        yield _watching
    finally:
        _watching = None


def _hook(event, arguments):
    if _watching is None:
        return
    if event == "pickle.find_class" and not _from_a_worker():
        _watching.unpickled.append(".".join(map(str, arguments)))
    elif event == "import":
        _watching.imported.add(str(arguments[0]))
    elif event in CALLS:
        _watching.called.append(f"{event}{arguments}")


def _from_a_worker():
    """Whether what is unpickled came through a pipe of multiprocessing."""
    frame = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_filename.endswith("multiprocessing/connection.py"):
            return True
        frame = frame.f_back
    return False
