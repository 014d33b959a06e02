"""What the episodes in a folder depend on, written beside them, so that only the same run goes on there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from vfplan.errors import UserError
from vfplan.output.folder import write_json
from vfplan.reading import read_object


class About:
    """A record of settings at `path`. Creating the object touches no disk."""

    def __init__(self, path: Path, settings: Mapping[str, Any], remedy: str) -> None:
        self.path, self.remedy = path, remedy
        # Through JSON, as the stored one went, so that tuples and lists compare equal.
        self.settings: dict[str, Any] = json.loads(json.dumps(dict(settings), default=_plain))

    def check(self) -> None:
        """Raise UserError if the folder holds episodes of something else."""
        if not self.path.is_file():
            return
        changed = changes(read_damaged(self.path), self.settings)
        if changed:
            # With another cost or planner most settings differ; its name says it best.
            key, old, new = min(changed, key=lambda change: not change[0].endswith((".name", ".type")))
            raise UserError(f"{self.path.parent} holds episodes with {key}={old}, not {new}: {self.remedy}")

    def write(self) -> None:
        """Write the record, unless it is there."""
        if not self.path.is_file():
            write_json(self.path, self.settings)


def read_damaged(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises UserError, which says to remove it, if it is damaged."""
    try:
        return read_object(path)
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}); remove it") from error


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return str(value)


def changes(old: Any, new: Any, key: str = "") -> list[tuple[str, Any, Any]]:
    """Dotted keys whose values differ, with both values."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return [] if old == new else [(key, old, new)]
    prefix = f"{key}." if key else ""
    found = []
    for name in sorted({*old, *new}):
        found += changes(old.get(name, "nothing"), new.get(name, "nothing"), f"{prefix}{name}")
    return found
