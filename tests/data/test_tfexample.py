"""The parser of tf.train.Example, against messages put together by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.records import bytes_feature, example, field, float_feature, int_feature, varint
from vfplan.data.tfexample import parse_example

FLOATS = (0.5, -1e30, float("inf"), 0.0)
INTEGERS = (0, 1, -1, 127, 128, 2**63 - 1, -(2**63))


def plain(feature):
    return [bytes(value) for value in feature] if isinstance(feature, list) else feature.tolist()


def test_a_message_as_the_encoding_guide_spells_it_out():
    # {"a": [2.0], "b": [300]}
    message = bytes.fromhex("0a1c0a0d0a0161120812060a04000000400a0b0a016212061a040a02ac02")
    features = parse_example(message)
    assert {name: plain(value) for name, value in features.items()} == {"a": [2.0], "b": [300]}


@pytest.mark.parametrize("packed", [True, False])
def test_numbers_come_back_packed_or_not(packed):
    floats, integers = float_feature(*FLOATS, packed=packed), int_feature(*INTEGERS, packed=packed)
    features = parse_example(example({"floats": floats, "integers": integers, "none": float_feature(packed=packed)}))
    assert features["floats"].dtype == np.float32 and features["integers"].dtype == np.int64
    np.testing.assert_array_equal(features["floats"], np.array(FLOATS, np.float32))
    assert features["integers"].tolist() == list(INTEGERS)
    assert len(features["none"]) == 0


def test_bytes_come_back_and_are_not_copied():
    message = example({"images": bytes_feature(b"", b"\x00\xff" * 100), "ü": bytes_feature(b"x")})
    features = parse_example(message)
    assert plain(features["images"]) == [b"", b"\x00\xff" * 100]
    assert plain(features["ü"]) == [b"x"]
    assert features["images"][1].obj is message


def test_what_protobuf_allows_is_understood():
    unknown = (
        field(9, b"later version")
        + varint(8 * 10)
        + varint(77)
        + varint(8 * 11 + 1)
        + bytes(8)
        + varint(8 * 12 + 5)
        + bytes(4)
    )
    twice = field(1, field(1, b"k") + field(2, int_feature(1))) + field(1, field(1, b"k") + field(2, int_feature(2)))
    mixed = field(3, field(1, varint(5)) + varint(8) + varint(6) + field(1, varint(7) + varint(8)))
    backwards = field(1, field(2, mixed) + unknown + field(1, b"m"))
    message = unknown + field(1, twice + unknown) + field(1, backwards) + field(1, field(1, field(1, b"empty")))
    assert {name: plain(value) for name, value in parse_example(message).items()} == {
        "k": [2], "m": [5, 6, 7, 8], "empty": [],
    }  # fmt: skip
    assert parse_example(b"") == {}


@pytest.mark.parametrize(
    "message",
    [
        b"\x0a",
        b"\x0a\x05abc",
        b"\x0b",
        b"\xff" * 11,
        b"\x08\x01",
        field(1, field(1, field(2, b""))),
        field(1, field(1, field(1, b"\xff") + field(2, b""))),
        example({"a": field(2, field(1, b"abc"))}),
        example({"a": field(2, varint(8) + varint(1))}),
        example({"a": field(3, varint(13) + bytes(4))}),
        example({"a": field(3, field(1, b"\x80"))}),
    ],
)
def test_what_is_no_example_is_refused(message):
    with pytest.raises(ValueError, match=r"no tf\.train.Example|codec can't decode"):
        parse_example(message)


WHOLE = example({"a": bytes_feature(b"xyz"), "b": float_feature(1, 2), "c": int_feature(3, -4)})


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.binary(max_size=40), st.integers(0, len(WHOLE)).map(lambda size: WHOLE[:size])),
    st.integers(0, 255),
    st.integers(0, 60),
)
def test_damage_is_a_value_error_or_nothing(message, byte, position):
    damaged = message[:position] + bytes([byte]) + message[position + 1 :]
    try:
        features = parse_example(damaged)
    except ValueError:
        return
    assert all(isinstance(name, str) for name in features)
