"""The checks that nearly every configuration needs."""

from dataclasses import field
from typing import Any


def within(default: Any, low: float, high: float) -> Any:
    """A field of a dataclass with this default, whose numbers `schema.from_mapping` keeps between `low` and `high`."""
    return field(default=default, metadata={"range": (low, high)})


def require_at_least(settings: object, **least: float) -> None:
    """Raise ValueError, naming it, for the first of these fields of `settings` that is below its least value."""
    for name, limit in least.items():
        if getattr(settings, name) < limit:
            raise ValueError(f"{name} must be at least {limit}; got {getattr(settings, name)}")
