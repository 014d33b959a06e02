"""How a command ends on a mistake of the user's, on Ctrl-C and on a closed pipe: in one line, or none."""

import contextlib
import os
import re
import signal
import sys
import traceback
from collections.abc import Iterator
from typing import NoReturn

from hydra.errors import HydraException

from vfplan.errors import UserError

MOST, HEAD = 2000, 1500
"""Characters of a line, and of its beginning where it is longer: a name in a stranger's file may have any length."""


def flatten(error: BaseException) -> str:
    """The message of an error in one line, without Hydra's advice."""
    text = re.split(r" See https| full_key:| Set the environment", " ".join(str(error).split()))[0]
    return text if len(text) <= MOST else f"{text[:HEAD]} ... {text[HEAD - MOST :]}"


def full_errors() -> bool:
    """Whether the user asked for tracebacks too."""
    return os.environ.get("HYDRA_FULL_ERROR") == "1"


@contextlib.contextmanager
def one_line_errors(full: bool | None = None) -> Iterator[None]:
    """End the process with `error: ...` and code 2 on a user's mistake, the traceback before it if asked for."""
    try:
        yield
    except (UserError, HydraException) as error:
        _refuse(flatten(error), full)
    except BrokenPipeError:
        # Whoever read the output has enough (`| head`); what is still in the buffer must not fail at the exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    except OSError as error:
        # A full disk, a folder that went, a file that may not be read: the machine's trouble, not the program's.
        _refuse(_machine(error), full)
    except ImportError as error:
        # What the environment of the user's shell decides; anything else that does not import is the program's fault.
        if error.name != "mujoco":
            raise
        _refuse(flatten(error), full)
    except (MemoryError, RuntimeError) as error:
        # torch has no class of its own for the memory of the CPU, and a subclass of RuntimeError for that of a GPU.
        if not isinstance(error, MemoryError) and not re.search("allocate memory|out of memory", str(error)):
            raise
        _refuse(f"not enough memory ({flatten(error) or 'Python has none left'}); smaller settings need less", full)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(130)


def _refuse(line: str, full: bool | None) -> NoReturn:
    if full_errors() if full is None else full:
        traceback.print_exc()
    print(f"error: {line}", file=sys.stderr)
    sys.exit(2)


def _machine(error: OSError) -> str:
    """What the operating system refused, and of which file."""
    what = error.strerror or flatten(error) or type(error).__name__
    return f"{what}: {error.filename}" if error.filename else what
