"""Last digits do not count, all others do."""

from vfplan.data.rounding import six_digits


def test_last_digits_do_not_count():
    first = '<camera xyaxes="1.0 -0.0 0.0 0.3000000000000001 2.5e-17"/>'
    assert six_digits(first) == six_digits('<camera xyaxes="1.0 0.0 0.0 0.3 2.5e-17"/>')


def test_other_digits_and_words_do():
    assert six_digits('size="0.0321"') != six_digits('size="0.0322"')
    assert six_digits('name="object1" size="0.5"') != six_digits('name="object2" size="0.5"')
