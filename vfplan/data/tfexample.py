"""tf.train.Example messages without TensorFlow or protobuf: named lists of bytes, floats or integers.

    message Example  { Features features = 1; }
    message Features { map<string, Feature> feature = 1; }      // a map is a repeated { key = 1; value = 2; }
    message Feature  { oneof { BytesList = 1; FloatList = 2; Int64List = 3; } }
    message *List    { repeated value = 1; }                    // numbers packed into one field, or each in its own

The wire format (protobuf.dev, "Encoding"): each field is a varint of (number << 3 | wire type), then its value.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Feature = list[memoryview] | NDArray[np.float32] | NDArray[np.int64]
Value = int | memoryview

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5  # wire types
BYTES_LIST, FLOAT_LIST, INT64_LIST = 1, 2, 3


def parse_example(data: bytes | memoryview) -> dict[str, Feature]:
    """Return the features of a serialised Example by name; bytes are views of `data`. Raises ValueError if damaged."""
    features: dict[str, Feature] = {}
    for message in _messages(memoryview(data), 1):
        for entry in _messages(message, 1):
            names, values = list(_messages(entry, 1)), list(_messages(entry, 2))
            if not names:
                raise ValueError("no tf.train.Example: a feature has no name")
            # The last of several wins, and what is left out is empty, as protobuf has it.
            features[str(names[-1], "utf-8")] = _feature(values[-1] if values else memoryview(b""))
    return features


def _feature(message: memoryview) -> Feature:
    feature: Feature = []
    for kind, _, value in _fields(message):
        if isinstance(value, memoryview):
            if kind == BYTES_LIST:
                feature = list(_messages(value, 1))
            elif kind == FLOAT_LIST:
                feature = _floats(value)
            elif kind == INT64_LIST:
                feature = _integers(value)
    return feature


def _floats(message: memoryview) -> NDArray[np.float32]:
    parts = []
    for number, wire, value in _fields(message):
        if number == 1:
            if wire not in (LENGTH, FIXED32) or not isinstance(value, memoryview) or len(value) % 4:
                raise ValueError(f"no tf.train.Example: a float of wire type {wire}")
            parts.append(bytes(value))
    return np.frombuffer(b"".join(parts), dtype="<f4").astype(np.float32)


def _integers(message: memoryview) -> NDArray[np.int64]:
    integers: list[int] = []
    for number, wire, value in _fields(message):
        if number == 1:
            if wire == VARINT and isinstance(value, int):
                integers.append(value)
            elif wire == LENGTH and isinstance(value, memoryview):
                integers.extend(_packed(value))
            else:
                raise ValueError(f"no tf.train.Example: an integer of wire type {wire}")
    return np.array(integers, dtype=np.uint64).astype(np.int64)  # two's complement


def _packed(view: memoryview) -> Iterator[int]:
    position = 0
    while position < len(view):
        value, position = _varint(view, position)
        yield value


def _messages(message: memoryview, wanted: int) -> Iterator[memoryview]:
    """The values of the field `wanted`, which hold bytes; other fields are passed over, as protobuf does."""
    for number, wire, value in _fields(message):
        if number == wanted:
            if wire != LENGTH or not isinstance(value, memoryview):
                raise ValueError(f"no tf.train.Example: field {number} has wire type {wire}, not {LENGTH}")
            yield value


def _fields(view: memoryview) -> Iterator[tuple[int, int, Value]]:
    """Number, wire type and value of each field of a message."""
    position = 0
    while position < len(view):
        tag, position = _varint(view, position)
        number, wire = tag >> 3, tag & 7
        if wire == VARINT:
            value, position = _varint(view, position)
            yield number, wire, value
            continue
        if wire == LENGTH:
            size, position = _varint(view, position)
        elif wire in (FIXED32, FIXED64):
            size = 4 if wire == FIXED32 else 8
        else:
            raise ValueError(f"no tf.train.Example: wire type {wire}")
        if size > len(view) - position:
            raise ValueError(f"no tf.train.Example: a field of {size} bytes where {len(view) - position} are left")
        yield number, wire, view[position : position + size]
        position += size


def _varint(view: memoryview, position: int) -> tuple[int, int]:
    """The integer of 7 bits per byte, least first, that starts here, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if position == len(view):
            raise ValueError("no tf.train.Example: it ends within a number")
        byte = view[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, position
    raise ValueError("no tf.train.Example: a number of more than 64 bits")
