"""Changes to a file, as damage and as malice make them; all drawn from one `random.Random`."""

from __future__ import annotations

import json
from random import Random
from typing import Any

NUMBERS = (0, -1, 1, 2, 7, 255, 256, 2**15, 2**31 - 1, 2**31, 2**32, 2**63 - 1, 2**63, -(2**63), 10**9, 10**4999)
VALUES: tuple[Any, ...] = (
    *NUMBERS, 0.0, -0.5, 1e-320, 1e308, True, False, None, "", "x", "../../etc/passwd", "/etc/passwd", "os.system",
    "\0", "\ud800", "e" * 70_000, [], [[]], {}, [1] * 1000, {"_target_": "os.system"}, {"a": {"b": []}},
)  # fmt: skip
TOKENS = (
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"[" * 100_000,
    b"{" * 1000,
    b"9" * 5000,
    b"\xff\xfe",
    b'"',
    b",",
    b"\\u0000",
    b"\n",
)


def mutated(data: bytes, draw: Random) -> bytes:
    """The file with one to four changes."""
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        data = _json(data, draw) if _is_json(data) and draw.random() < 0.6 else _bytes(data, draw)
    return data


def _is_json(data: bytes) -> bool:
    return data[:1] == b"{"


def _json(data: bytes, draw: Random) -> bytes:
    """One value of the JSON replaced, dropped, or given company; a line of a file of lines."""
    lines = data.splitlines() if b"\n{" in data else [data]
    chosen = draw.randrange(len(lines))
    try:
        value = json.loads(lines[chosen])
    except (ValueError, RecursionError):
        return _bytes(data, draw)
    places = list(_places(value))
    if not places:
        return _bytes(data, draw)
    inner, key = draw.choice(places)
    match draw.randrange(4):
        case 0 | 1:
            inner[key] = draw.choice(VALUES)
        case 2:
            del inner[key]
        case 3 if isinstance(inner, dict):
            inner[draw.choice(("_target_", "extra", "", "sha256", "name"))] = draw.choice(VALUES)
        case _:
            inner.append(draw.choice(VALUES))
    try:
        lines[chosen] = _text(value).encode()
    except (ValueError, UnicodeEncodeError):
        return _bytes(data, draw)
    return b"\n".join(lines)


def _text(value: Any) -> str:
    text = json.dumps(value, default=str) if not _huge(value) else json.dumps(_shown(value))
    return text.replace('"@huge@"', "9" * 5000)


def _huge(value: Any) -> bool:
    return any(isinstance(inner[key], int) and abs(inner[key]) > 2**70 for inner, key in _places(value))


def _shown(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shown(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shown(item) for item in value]
    return "@huge@" if isinstance(value, int) and abs(value) > 2**70 else value


def _places(value: Any) -> Any:
    """Every (container, key) of a JSON value."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])


def _bytes(data: bytes, draw: Random) -> bytes:
    """Bits flipped, parts cut, repeated, moved or overwritten, wherever they are."""
    at, until = sorted((draw.randrange(len(data) + 1), draw.randrange(len(data) + 1)))
    # Headers decide, and are short.
    if draw.random() < 0.5:
        at, until = min(at % 256, len(data)), min(at % 256 + until % 16, len(data))
    match draw.randrange(8):
        case 0 | 1 if data:
            at = min(at, len(data) - 1)
            return data[:at] + bytes([data[at] ^ 1 << draw.randrange(8)]) + data[at + 1 :]
        case 2:
            return data[:at]
        case 3:
            return data[:at] + data[until:]
        case 4:
            return data[:until] + data[at:until] * draw.choice((1, 3)) + data[until:]
        case 5:
            return data[:at] + draw.choice(TOKENS) + data[until:]
        case 6:
            width = draw.choice((1, 2, 4, 8))
            number = draw.choice(NUMBERS[:-1]) % 256**width
            return data[:at] + number.to_bytes(width, draw.choice(("little", "big"))) + data[at + width :]
        case _:
            return data[:at] + draw.randbytes(draw.choice((1, 8, 64))) + data[at:]
