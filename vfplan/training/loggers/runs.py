"""Weights & Biases, and Trackio, which has the same functions. Whether to go online is for them to say (WANDB_MODE)."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Mapping
from typing import Any

from vfplan.output.folder import RunDir
from vfplan.reading import read_object

PROJECT = "vfplan"


class RunsLogger:
    """A run in the project `vfplan`, named as its folder; the same folder goes on with the same run."""

    def __init__(self, run: RunDir, library: str) -> None:
        self._library: Any = importlib.import_module(library)
        place = str(run.path.resolve())
        given: dict[str, Any] = {"project": PROJECT, "name": run.path.name, "resume": "allow"}
        given["config"] = read_object(run.file("config.json"))
        if library == "wandb":
            given |= {"id": hashlib.sha256(place.encode()).hexdigest()[:16], "dir": place}
        self._library.init(**given)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """The numbers of a step."""
        self._library.log(dict(values), step=step)

    def close(self) -> None:
        """Hand over what waits."""
        self._library.finish()
