"""One changed file read within limits: what is found is anything but success or one line."""

from __future__ import annotations

import contextlib
import io
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from tests.fuzz.reader import Reader
from tests.fuzz.readers import READERS
from vfplan.cli.one_line import flatten
from vfplan.errors import UserError

SECONDS = 5
LONGEST_LINE = 2100


class Subject:
    """A reader and a folder of what it reads, which is as it was before each try."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self.reader: Reader = READERS[name]
        self.whole = folder / "whole"
        self.whole.mkdir(parents=True)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            self.reader.make(self.whole)
        self.data = (self.whole / self.reader.file).read_bytes()

    def finding(self, data: bytes) -> str:
        """What reading the folder with these bytes in the changed file does that it should not; empty for nothing."""
        with tempfile.TemporaryDirectory(dir=self.folder) as place:
            tried = Path(place) / "tried"
            shutil.copytree(self.whole, tried, symlinks=True)
            (tried / self.reader.file).write_bytes(data)
            with contextlib.suppress(ValueError, KeyError, TypeError, OSError, RecursionError, AttributeError):
                self.reader.mend(tried)
            return self._outcome(tried)

    def _outcome(self, tried: Path) -> str:
        began = time.monotonic()
        try:
            with _at_most(SECONDS), contextlib.redirect_stderr(io.StringIO()):
                self.reader.read(tried)
        except UserError as error:
            line = flatten(error)
            return "" if len(line) < LONGEST_LINE else f"a line of {len(line)} characters: {line[:300]!r}"
        except Exception as error:
            where = error.__traceback__
            while where is not None and where.tb_next is not None:
                where = where.tb_next
            place = f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where else "nowhere"
            return f"{type(error).__name__}: {str(error)[:200]} ({place})"
        took = time.monotonic() - began
        return f"{took:.0f} s" if took > SECONDS else ""


class TooLongError(Exception):
    """Reading took longer than it may."""


@contextmanager
def _at_most(seconds: int) -> Iterator[None]:
    def late(number: int, frame: FrameType | None) -> None:
        raise TooLongError(f"not read in {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
