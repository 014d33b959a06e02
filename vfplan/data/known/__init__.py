"""Sources with known answers: generated episodes whose entropy, and every possible next frame, are known exactly."""

import dataclasses
from typing import Any

from vfplan.data.known.base import Source
from vfplan.data.known.moving import DIRECTIONS, Movement, MovingShape, Slip
from vfplan.data.known.noise import Noise
from vfplan.data.records import StoreMeta
from vfplan.errors import UserError
from vfplan.schema import from_mapping

__all__ = ["DIRECTIONS", "SOURCES", "Movement", "MovingShape", "Noise", "Slip", "Source", "describe", "from_meta"]

SOURCES: dict[str, type[Movement] | type[Slip] | type[Noise]] = {"movement": Movement, "slip": Slip, "noise": Noise}
"""Every source by its name."""


def describe(source: Movement | Slip | Noise) -> dict[str, Any]:
    """Return what a store says of its source: the description from which `from_meta` makes it again."""
    return {"name": source.name, "image_size": source.image_size, "config": dataclasses.asdict(source)}


def from_meta(meta: StoreMeta) -> Movement | Slip | Noise:
    """Return the source of a store. Raises UserError if it was not generated, or by another version's source."""
    if meta.env not in SOURCES:
        raise UserError(f"no known answers for env={meta.env}; there are some for {', '.join(SOURCES)}")
    source = from_mapping(SOURCES[meta.env], meta.description.get("config", {}), where="description.config.")
    if any(meta.description.get(key) != value for key, value in describe(source).items()):
        raise UserError(f"the answers to env={meta.env} are for {describe(source)}, but it is {meta.description}")
    return source
