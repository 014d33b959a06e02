"""The folder of a run as a report reads it: bounded, and every fault a line that names the file."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from vfplan.errors import UserError, said
from vfplan.output.page import Listing, Picture, Share, media_of
from vfplan.reading import MOST_BYTES, read_bounded, read_object
from vfplan.schema import from_mapping

MOST_FILES = 1000
"""Of one kind that are looked at."""
MOST_TEXT = 100_000
"""Characters of a text that is shown."""
READ_AS = 4
"""So many tasks bound the size of every file of a group, for the number in its name may be anything: 1 GiB."""


class RunFolder:
    """What one command left."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def has(self, pattern: str) -> bool:
        """Whether there is a file, or a folder, that fits a pattern."""
        return next(self.path.glob(pattern), None) is not None

    def files(self, pattern: str) -> list[Path]:
        """The regular files that fit a pattern, in order."""
        return sorted(path for path in self.path.glob(pattern) if path.is_file())[:MOST_FILES]

    def object(self, name: str) -> dict[str, Any]:
        """The JSON object in a file. Raises UserError, which names it, if it is missing or damaged."""
        path = self.path / name
        if not path.is_file():
            raise UserError(f"{path} is missing: the run has not finished, or not begun")
        try:
            return read_object(path)
        except ValueError as error:
            raise UserError(f"{path} is damaged ({said(error)})") from error

    def rows(self, name: str) -> list[dict[str, Any]]:
        """The whole lines of a file of JSON lines, as far as they are objects; a crash may have cut the last."""
        path = self.path / name
        if path.stat().st_size > MOST_BYTES:
            raise UserError(f"{path} is larger than {MOST_BYTES >> 20} MiB")
        found = []
        for line in path.read_text(errors="replace").splitlines():
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(row, dict):
                found.append(row)
        return found

    def text(self, name: str) -> str:
        """The beginning of a text file."""
        return read_bounded(self.path / name)[:MOST_TEXT].decode(errors="replace")

    def picture(self, name: str, sentence: str) -> Picture | None:
        """A PNG or GIF; None if there is none of this name. Raises UserError for what is no image."""
        path = self.path / name
        if not path.is_file():
            return None
        try:
            content = read_bounded(path)
            media_of(content)
        except ValueError as error:
            raise UserError(f"{path} is damaged ({said(error)})") from error
        return Picture(name, content, sentence)

    def pictures(self, sentences: Mapping[str, str]) -> tuple[Picture, ...]:
        """Those of these names that there are."""
        found = (self.picture(name, sentence) for name, sentence in sentences.items())
        return tuple(picture for picture in found if picture is not None)

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """Where the run comes from; empty where it does not say."""
        try:
            return self.object("provenance.json")
        except (OSError, UserError):
            return {}

    @property
    def command(self) -> str:
        """The command line that made it; empty where it does not say."""
        words = self.provenance.get("command")
        if not isinstance(words, list) or not words:
            return ""
        program, *rest = map(str, words)
        began = ["python", "-m", f"vfplan.{program.removesuffix('.py')}"] if program.endswith(".py") else [program]
        return shlex.join([*began, *rest])

    @property
    def facts(self) -> dict[str, str]:
        """What stands below its name: when it was made, and by which versions."""
        about = self.provenance
        versions = about.get("versions")
        commit = re.sub(r"^([0-9a-f]{10})[0-9a-f]+", r"\1", str(about.get("commit") or ""))
        found = {"made": about.get("time_utc"), "commit": commit, "Python": about.get("python")}
        found |= versions if isinstance(versions, dict) else {}
        return {said(str(name)): said(str(value)) for name, value in found.items() if value}

    def listing(self, name: str) -> Listing:
        """A text file, to be unfolded."""
        return Listing(name, self.text(name))


def share(values: Any) -> Share:
    """A rate with its interval as results have it. Raises UserError for anything else."""
    keys = ("rate", "low", "high")
    if not isinstance(values, Mapping) or not set(keys) <= set(values):
        raise UserError(f"expected {', '.join(keys)}, got {said(repr(values))}")
    found = from_mapping(Share, {key: values[key] for key in keys})
    if not 0 <= found.low <= found.rate <= found.high <= 1:
        raise UserError(f"expected 0 <= low <= rate <= high <= 1, got {said(repr(values))}")
    return found


def number(value: Any, digits: int = 3) -> str:
    """A number as text, and whatever else stands in its place."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    return said(str(value))
