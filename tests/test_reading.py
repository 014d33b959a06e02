"""JSON from outside: whatever the bytes are, an object or one line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vfplan.reading import MOST_BYTES, parse_object, read_object

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_an_object_comes_back(value):
    assert parse_object(json.dumps(value).encode()) == value


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_an_object_or_one_line(data):
    try:
        assert isinstance(parse_object(data), dict)
    except ValueError as error:
        assert str(error) and "\n" not in str(error)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "not JSON"),
        (b'{"a": NaN}', "NaN is no JSON number"),
        (b'{"a": -Infinity}', "-Infinity is no JSON number"),
        (b'\xff\xfe{"a": 1}', "not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
        (b"[1]", "expected a JSON object, found list"),
    ],
)
def test_what_is_no_object_is_one_line(data, message):
    with pytest.raises(ValueError, match=message) as caught:
        parse_object(data)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    with (tmp_path / "huge.json").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(ValueError, match="larger than 64 MiB"):
        read_object(tmp_path / "huge.json")
