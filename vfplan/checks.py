"""The ranges of settings: said beside a field's default, kept there and wherever settings are read."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

Range = tuple[float, float]

MOST_NUMBERS = 1024
"""In a sequence whose numbers have a range."""

MOST_SEED = 2**31 - 1


def within(default: Any, low: float, high: float) -> Any:
    """A field of a dataclass with this default, whose number, or each of whose numbers, is kept in this range."""
    return dataclasses.field(default=default, metadata={"range": (low, high)})


def decided(default: Any, low: float, high: float) -> Any:
    """A field that is no setting, for something else decides about it, as data do about image sizes; kept in range."""
    return dataclasses.field(default=default, metadata={"range": (low, high), "setting": False})


def is_setting(field: dataclasses.Field[Any]) -> bool:
    """Whether a user may choose the value of a field."""
    return bool(field.metadata.get("setting", True))


def require_ranges(settings: Any) -> None:
    """Raise ValueError for the first field of a dataclass that is outside its range."""
    for field in dataclasses.fields(settings):
        require_range(getattr(settings, field.name), field.metadata.get("range"), field.name)


def require_range(value: Any, bounds: Range | None, name: str) -> None:
    """Raise ValueError, naming it, for a number, or one in a sequence or mapping, outside the bounds; None is none."""
    if bounds is None:
        return
    numbers = list(_numbers(value))
    if len(numbers) > MOST_NUMBERS:
        raise ValueError(f"{name} must have at most {MOST_NUMBERS} numbers, got {len(numbers)}")
    for number in numbers:
        if not bounds[0] <= number <= bounds[1]:
            raise ValueError(f"{name} must be in {range_text(bounds)}, got {_short(number)}")


def range_text(bounds: Range) -> str:
    """How a range is written: `[1, 1000]`, `[1, 1e6]`, `[0, inf]`."""
    return f"[{', '.join(map(_readable, bounds))}]"


def _readable(bound: float) -> str:
    if 1e5 <= bound < 1e12 and bound % 1e5 == 0:
        return f"{bound:.0e}".replace("e+0", "e")
    return str(bound) if isinstance(bound, int) else f"{bound:g}".replace("e-0", "e-")


def _numbers(value: Any) -> Iterable[float]:
    if value is None:
        return ()
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list | tuple) else (value,)


def _short(number: float) -> str:
    """A number as it was given; whole numbers can be too long to print."""
    if isinstance(number, int) and abs(number) >= 10**15:
        return f"{number:g}" if abs(number) < 10**300 else "more"
    return str(number)
