"""Whatever a file from outside holds: it is read, or refused in one line, soon."""

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.mutations import mutated
from tests.fuzz.readers import READERS
from tests.fuzz.trying import Subject


@pytest.fixture(scope="module", params=READERS)
def subject(request, tmp_path_factory):
    return Subject(request.param, tmp_path_factory.mktemp("fuzz") / request.param)


def test_what_is_valid_is_read(subject):
    subject.reader.read(subject.whole)


@settings(max_examples=200, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_any_bytes_are_read_or_refused_in_one_line(subject, seed):
    assert subject.finding(mutated(subject.data, Random(seed))) == ""
