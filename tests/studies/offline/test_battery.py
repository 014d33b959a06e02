"""All tests on whatever model and store: each leaves a result or a reason, in one folder that needs nothing else."""

import html
import json
import re
from html.parser import HTMLParser

import pytest

from tests.studies.offline.conftest import GaussianWorld, Replay, gaussian_store, tiny_videoflow, trial
from vfplan.output.folder import RunDir
from vfplan.output.page import Picture, Table
from vfplan.studies.offline import detection, drift
from vfplan.studies.offline.battery import TESTS, as_json, perform
from vfplan.studies.offline.page import page

VOID = {"meta", "img"}


@pytest.fixture(scope="module")
def subjects(arena_store, tmp_path_factory):
    """Every test made of every subject: {subject: results}."""
    bare = gaussian_store(tmp_path_factory.mktemp("bare") / "store", actions=0)
    trials = {
        "videoflow": trial(tiny_videoflow(), arena_store),
        "action-free videoflow": trial(tiny_videoflow(action_dim=0), arena_store),
        "no latents": trial(Replay(arena_store), arena_store),
        "nothing but frames": trial(GaussianWorld(action_dim=0), bare),
    }
    return {name: [perform(test, tested) for test in TESTS] for name, tested in trials.items()}


ABSENT = {
    "videoflow": {"known_answers", "occlusion"},
    "action-free videoflow": {"known_answers", "occlusion"},
    "no latents": {"known_answers", "occlusion", "interpolation"},
    "nothing but frames": {"known_answers", "occlusion", "interpolation", "position", "motion"},
}


@pytest.mark.parametrize("name", ABSENT)
def test_every_test_has_a_result_or_a_reason(name, subjects, tmp_path):
    assert all((done.section is None) == bool(done.absent) for done in subjects[name])
    RunDir(tmp_path, {}).write_json("likelihood.json", as_json(subjects[name]))  # refuses what is not a number
    sections = json.loads((tmp_path / "likelihood.json").read_text())["sections"]
    reasons = {test: section["absent"] for test, section in sections.items() if set(section) == {"absent"}}
    assert set(reasons) == ABSENT[name]


@pytest.mark.parametrize("name", ABSENT)
def test_the_page_shows_every_test_and_needs_no_file(name, subjects):
    results = subjects[name]
    page_text = page("Tests", {"data": "<here>"}, results)
    items = [item for done in results if done.section for item in done.section.items if isinstance(item, Picture)]
    assert re.findall(r'src="([^"]+)"', page_text) == [item.source for item in items]
    for done in results:
        assert f'id="{done.test.name}"' in page_text and done.test.question in html.unescape(page_text)
        assert done.absent in html.unescape(page_text)
    _check_tags(page_text)
    assert "<here>" not in page_text and "http:" not in page_text and "<script" not in page_text


def test_pictures_are_images_and_everything_has_a_sentence(subjects):
    items = [item for done in subjects["videoflow"] if done.section for item in done.section.items]
    for item in items:
        assert item.sentence.endswith(".") and len(item.sentence) > 40
        if isinstance(item, Table):
            assert all(len(row) == len(item.header) for row in item.rows)
        else:
            assert item.content.startswith(b"\x89PNG" if item.file.endswith(".png") else b"GIF8")
    files = [item.file for item in items if isinstance(item, Picture)]
    assert len(files) == len(set(files)) and {"likelihood.png", "long.gif"} <= set(files)


def test_the_same_seed_gives_the_same_numbers_whichever_tests_are_made(subjects, arena_store):
    report = as_json(subjects["videoflow"])
    for test in (drift.TEST, detection.TEST):
        again = as_json([perform(test, trial(tiny_videoflow(), arena_store))])
        assert again["sections"][test.name] == report["sections"][test.name]


def test_a_fault_is_not_taken_for_a_structural_reason(arena_store):
    class Broken(Replay):
        def log_prob(self, context, actions, frames, rng):
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        perform(TESTS[0], trial(Broken(arena_store), arena_store))


def _check_tags(text):
    class Parser(HTMLParser):
        open: list[str] = []  # noqa: RUF012

        def handle_starttag(self, tag, attrs):
            if tag not in VOID:
                self.open.append(tag)

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

    parser = Parser()
    parser.feed(text)
    assert not parser.open
