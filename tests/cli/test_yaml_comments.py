"""What `--help` says of a key is the comment on its line, and nothing that stands within its value."""

import pytest

from vfplan.cli.yaml_comments import yaml_comments


@pytest.mark.parametrize(
    ("line", "comment"),
    [
        ("key: 1  # of a number", "of a number"),
        ('key: "a # b"  # of quotes', "of quotes"),
        ("key: 'a # b'", None),
        ("key: 'it''s # one'  # of doubled quotes", "of doubled quotes"),
        (r'key: "a \" # b"  # of an escaped quote', "of an escaped quote"),
        ("key: a#b  # of a plain scalar", "of a plain scalar"),
        ("key: it's  # what isn't quoted", "what isn't quoted"),
        ("key: [1, '#', 2]  # of a list", "of a list"),
        ("key: 1", None),
    ],
)
def test_a_comment_begins_outside_of_the_value(tmp_path, line, comment):
    path = tmp_path / "a.yaml"
    path.write_text(f"{line}\nother: 2  # of another\n")
    assert yaml_comments(path) == ({"key": comment} if comment else {}) | {"other": "of another"}


def test_nested_keys_are_dotted(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("# no key\nouter:  # of the section\n  inner: '#'  # of its key\nlast: 1  # of the last\n")
    assert yaml_comments(path) == {"outer": "of the section", "outer.inner": "of its key", "last": "of the last"}
