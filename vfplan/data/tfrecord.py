"""TFRecord files: length-prefixed records with a checksum on the length and one on the data, both always checked.

A record is, little-endian: its length (8 bytes), the masked CRC-32C of these (4), the data, their masked CRC-32C (4).
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import google_crc32c

from vfplan.errors import UserError

HEADER, FOOTER = struct.Struct("<QI"), struct.Struct("<I")
ALL_ONES = 0xFFFFFFFF


class Place(NamedTuple):
    """Where a record is: its number in the file, the first byte of its header, its data's length and masked CRC."""

    number: int
    offset: int
    length: int
    crc: int


def scan(file: Path) -> list[Place]:
    """Find all records without reading their data. Raises UserError if the file is cut off or a length damaged."""
    try:
        with file.open("rb") as opened:
            return list(_places(file, opened.fileno()))
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from error


def read_record(file: Path, place: Place) -> bytes:
    """Return the data of one record. Raises UserError if they are not those that were written."""
    try:
        with file.open("rb") as opened:
            data = os.pread(opened.fileno(), place.length, place.offset + HEADER.size)
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from error
    _check(file, place.number, "data", masked_crc32c(data), place.crc)
    return data


def masked_crc32c(data: bytes) -> int:
    """Return the CRC-32C as TFRecord files store it: turned by 15 bits plus a constant, modulo 2^32."""
    crc: int = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & ALL_ONES


def _places(file: Path, descriptor: int) -> Iterator[Place]:
    number, offset, size = 0, 0, os.fstat(descriptor).st_size
    while offset < size:
        header = os.pread(descriptor, HEADER.size, offset)
        if len(header) < HEADER.size:
            raise _cut_off(file, number, HEADER.size, len(header))
        length, crc = HEADER.unpack(header)
        _check(file, number, "length", masked_crc32c(header[:8]), crc)
        end = offset + HEADER.size + length + FOOTER.size
        if end > size:
            raise _cut_off(file, number, end - offset, size - offset)
        footer = os.pread(descriptor, FOOTER.size, end - FOOTER.size)
        yield Place(number, offset, length, *FOOTER.unpack(footer))
        number, offset = number + 1, end


def _check(file: Path, number: int, what: str, found: int, stored: int) -> None:
    if found != stored:
        crcs = f"expected CRC {stored:08x} of its {what}, found {found:08x}"
        raise UserError(f"{file}: record {number} is damaged: {crcs}")


def _cut_off(file: Path, number: int, wanted: int, found: int) -> UserError:
    return UserError(f"{file}: record {number} is cut off: expected {wanted} bytes, found {found}")
