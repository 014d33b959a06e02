"""The page of features names tests that are there, one or more for every row."""

import re

from tests.documents.shown import ROOT

PAGE = (ROOT / "docs" / "features.md").read_text()
ROWS = re.findall(r"^\| (?!you look|-)(.*?) \| (.*) \| `(\S+)` \|$", PAGE, re.MULTILINE)


def test_every_feature_that_peers_have_has_a_row():
    assert len(ROWS) == 26 == len({name for name, _, _ in ROWS})
    assert PAGE.count("\n|") == len(ROWS) + 2


def test_every_row_names_a_test_that_is_there():
    assert [path for _, _, path in ROWS if not _there(path)] == []


def _there(path):
    return (ROOT / "tests" / f"{path}.py").is_file() or path == ".ci/run"
