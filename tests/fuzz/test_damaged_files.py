"""84 damaged files, one of each damage for each reader: one line or success, within 5 s and 100 MB."""

import os
import resource
from random import Random

import pytest

from tests.fuzz.readers import READERS
from tests.fuzz.trying import Subject

MORE_MEMORY = 100
"""MB above what the process had."""


def flipped(data: bytes) -> bytes:
    """One bit of the middle byte."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def enlarged(data: bytes) -> bytes:
    """A billion where the first number of several digits stood in text, the largest length where none did."""
    for width in (4, 3, 2, 1):
        for at in range(len(data) - width):
            word = data[at : at + width]
            if word.isdigit() and not data[at - 1 : at].isalnum() and not data[at + width : at + width + 1].isalnum():
                return data[:at] + b"1000000000" + data[at + width :]
    return b"\xff" * 7 + b"\x7f" + data[8:]


DAMAGES = {
    "emptied": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "flipped": flipped,
    "noise": lambda data: Random(0).randbytes(len(data)),
    "nested": lambda data: b"[" * 100_000,
    "enlarged": enlarged,
}


@pytest.fixture(scope="module", params=READERS)
def subject(request, tmp_path_factory):
    return Subject(request.param, tmp_path_factory.mktemp("damaged") / request.param)


def peak() -> float:
    """The most memory that this process has had, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def outcome(subject: Subject, data: bytes) -> tuple[str, float]:
    """What was found, and the MB it took, in a process of its own: a peak never goes down again."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            before = peak()
            found = subject.finding(data)
            os.write(writing, f"{peak() - before} {found}".encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answers:
        took, _, found = answers.read().partition(" ")
    os.waitpid(child, 0)
    return found, float(took)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_costs_no_more_than_a_line(subject, damage):
    damaged = DAMAGES[damage](subject.data)
    assert damaged != subject.data
    found, took = outcome(subject, damaged)
    assert found == ""
    assert took < MORE_MEMORY
