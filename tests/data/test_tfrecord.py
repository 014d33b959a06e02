"""CRC-32C and TFRecord framing: known values, and no byte that can change unnoticed."""

import google_crc32c
import numpy as np
import pytest

from tests.data import records
from vfplan.data.tfrecord import masked_crc32c, read_record, scan
from vfplan.errors import UserError

RECORDS = [b"first record, of some length", b"", b"third"]


@pytest.mark.parametrize(
    ("message", "crc"),
    [  # the check value of the algorithm, and the examples of RFC 3720, B.4
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        (b"", 0),
    ],
)
def test_known_checksums(message, crc):
    assert google_crc32c.value(message) == records.crc32c(message) == crc


def test_the_checksum_of_any_length_is_that_of_long_division():
    data = np.random.default_rng(0).bytes(70001)
    for length in [*range(300), 1023, 1024, 1025, 65535, 65536, 65537, 70001]:
        assert google_crc32c.value(data[:length]) == records.crc32c(data[:length]), length


def test_the_checksum_is_that_of_compiled_code():
    assert google_crc32c.implementation == "c"


def test_the_mask_is_that_of_files_written_by_tensorflow():
    # The first 12 bytes of every event file of TensorBoard: a record of 24 bytes.
    assert masked_crc32c((24).to_bytes(8, "little")).to_bytes(4, "little") == bytes.fromhex("a37f4b22")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "some.tfrecords"
    path.write_bytes(b"".join(map(records.framed, RECORDS)))
    return path


def read_all(file):
    return [read_record(file, place) for place in scan(file)]


def refused(file, read=read_all):
    with pytest.raises(UserError) as error:
        read(file)
    assert str(error.value).startswith(f"{file}: record ") and "\n" not in str(error.value)
    assert "expected" in str(error.value) and "found" in str(error.value)
    return str(error.value)


def test_all_records_come_back_in_order(file):
    assert read_all(file) == RECORDS
    assert [place.number for place in scan(file)] == [0, 1, 2]
    file.write_bytes(b"")
    assert scan(file) == []


def test_any_changed_byte_is_noticed_and_the_record_named(file):
    whole = file.read_bytes()
    ends = np.cumsum([16 + len(record) for record in RECORDS])
    for position in range(len(whole)):
        for change in (1, 0x80, 0xFF):
            file.write_bytes(whole[:position] + bytes([whole[position] ^ change]) + whole[position + 1 :])
            assert f"record {np.searchsorted(ends, position, side='right')} is damaged" in refused(file)


def test_any_cut_is_noticed_before_data_are_read(file):
    whole = file.read_bytes()
    ends = {int(end) for end in np.cumsum([16 + len(record) for record in RECORDS])}
    for size in set(range(1, len(whole))) - ends:
        file.write_bytes(whole[:size])
        assert "is cut off" in refused(file, scan)


def test_a_file_that_changes_after_it_was_scanned_is_noticed(file):
    places = scan(file)
    file.write_bytes(records.framed(RECORDS[0].upper()))
    with pytest.raises(UserError, match="record 0 is damaged"):
        read_record(file, places[0])
    with pytest.raises(UserError, match="record 2 is damaged"):
        read_record(file, places[2])
    file.unlink()
    for read in (scan, lambda file: read_record(file, places[0])):
        with pytest.raises(UserError, match=f"cannot read {file}: No such file"):
            read(file)
