"""JSON that comes from outside: bounded and strict, and every fault of it a ValueError of one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

MOST_BYTES = 2**26
"""Far more than any file of vfplan has: a manifest of a million episodes has half of it."""


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is too large, or `parse_object` refuses it.
    """
    return parse_object(read_bounded(path))


def read_bounded(path: Path) -> bytes:
    """The content of a file of at most `MOST_BYTES`. Raises ValueError for a larger one, OSError as `open` does."""
    with path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ValueError(f"larger than {MOST_BYTES >> 20} MiB")
    return data


def parse_object(data: bytes) -> dict[str, Any]:
    """The JSON object in some bytes.

    Raises:
        ValueError: in one line, for what is no UTF-8, no JSON, no object, nested too deeply, a number of thousands of
            digits, or NaN and infinities, which JSON has not.
    """
    try:
        value = json.loads(data.decode(), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise ValueError("not UTF-8") from error
    except RecursionError as error:
        raise ValueError("not JSON: nested too deeply") from error
    except ValueError as error:
        raise ValueError(f"not JSON: {str(error).splitlines()[0]}") from error
    if not isinstance(value, dict):
        raise ValueError(f"expected a JSON object, found {type(value).__name__}")
    return value


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")
