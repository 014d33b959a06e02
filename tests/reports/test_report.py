"""A report shows what runs left, whatever that is, and needs no other file."""

import html
import json
import re

import pytest

from tests.refusal import refused
from tests.reports.browser import PROGRAM, Browser
from tests.reports.runs import MAKERS, RATE, all_of, plan, rewritten, train
from vfplan.report import main as report


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The folder of one run of each command, and its report."""
    folder = tmp_path_factory.mktemp("runs")
    report([*map(str, all_of(folder)), f"out={folder / 'report.html'}"])
    return folder


@pytest.fixture(scope="module")
def page(runs):
    return (runs / "report.html").read_text()


def reported(folder, *runs):
    """The text of a report."""
    report([*map(str, runs), f"out={folder / 'made.html'}"])
    return html.unescape((folder / "made.html").read_text())


@pytest.mark.parametrize(
    "words",
    [
        "4 steps, 6.25 bits/dim on validation episodes",
        "0.2500 [0.2400, 0.2600]",
        "The best sample and the worst.",
        "occlusion is absent: nothing is hidden.",
        "50.0 % [10.0, 90.0]",
        "Task 0, which ended 0.0 cm from its goal: frames after so many actions.",
        "Task 5, which ended 5.0 cm from its goal; planning 2 of 2.",
        "Cost in each call to the score. 6 tasks, 2 plannings each, with 95 % intervals over tasks.",
        "Row model, task 0; planning 1 of 2.",
        "within 5 cm at the end",
        "Surprise after each action",
        "An alarm is raised above 10 nats.",
        "pixel  0.42",
        '"steps": 4',
        "torch",
    ],
)
def test_what_the_commands_left_is_shown(words, page):
    assert words in html.unescape(page)


def test_nothing_of_good_runs_is_left_out(page):
    assert "Not shown" not in page and "damaged" not in page and "left out" not in page


def test_every_figure_names_the_command_that_made_it(runs, page):
    for name in MAKERS:
        rewritten(runs / name / "provenance.json", command=[f"{name}.py", "a=1 b"])
    made = reported(runs, *(runs / name for name in MAKERS))
    _, *figures = re.findall(r"<figure.*?</figure>", made, flags=re.DOTALL)  # the first is about all runs
    assert len(figures) > 20
    assert all(re.search(r"<code>python -m vfplan\.\w+ 'a=1 b'</code>", figure) for figure in figures)


def test_the_page_is_one_file_without_scripts(page):
    assert len(page) < 10_000_000 and "<script" not in page
    assert all(source.startswith("data:image/") for source in re.findall(r'src="([^"]*)"', page))
    assert re.search(r"default-src &#39;none&#39;; img-src data:; style-src &#39;sha256-", page)
    links = re.findall(r'href="([^"]*)"', page)
    assert links and all(link.startswith("#") and f'id="{link[1:]}"' in page for link in links)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if PROGRAM is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_shows_it_without_complaint(width, runs, browser):
    seen = browser.look(runs / "report.html", width)
    assert seen.overflow == 0
    assert seen.messages == [] and seen.requests == [(runs / "report.html").as_uri()]
    assert seen.pictures > 20


def test_the_browser_notices_what_must_not_be(tmp_path, browser):
    (tmp_path / "bad.html").write_text(
        "<!doctype html><div style='width: 3000px'>wide</div><script>console.log('said')</script>"
        "<link rel=stylesheet href=other.css>"
    )
    seen = browser.look(tmp_path / "bad.html", 390)
    assert seen.overflow > 0 and any("said" in message for message in seen.messages)
    assert seen.requests == [(tmp_path / name).as_uri() for name in ("bad.html", "other.css")]


def test_it_says_where_it_is_and_what_is_next(runs, capsys):
    report([str(runs / "plan"), f"out={runs / 'one.html'}"])
    wrote, then = capsys.readouterr().out.splitlines()
    assert re.fullmatch(rf"wrote {runs / 'one.html'}, \d+\.\d MB, 1 runs", wrote)
    assert then == f"next: python -m webbrowser {runs / 'one.html'}"


@pytest.mark.parametrize("name", ["a,b [c] d", "key=value", "${oc.env:HOME}", 'a"q\\', "<script>alert(1)"])
def test_folders_are_named_as_they_are(name, tmp_path):
    train(tmp_path / name)
    assert name in reported(tmp_path, tmp_path / name)
    assert "<script" not in (tmp_path / "made.html").read_text()


def test_folders_may_be_given_by_key(runs, tmp_path):
    report([f"runs=[{runs / 'plan'},{runs / 'train'}]", f"out={tmp_path / 'a.html'}"])
    report([str(runs / "plan"), str(runs / "train"), f"out={tmp_path / 'b.html'}"])
    texts = [re.sub("[0-9:-]+ [0-9:]+ UTC", "", (tmp_path / f"{name}.html").read_text()) for name in "ab"]
    assert texts[0] == texts[1]


def test_text_of_strangers_stays_text(tmp_path):
    plan(tmp_path / "run")
    evil = "<script>alert(1)</script>"
    rewritten(tmp_path / "run" / "results.json", model=evil, **{evil: RATE}, tasks=[{evil: evil, "task": "\ud800"}])
    rewritten(tmp_path / "run" / "provenance.json", command=[evil], versions={evil: evil})
    (tmp_path / "run" / "config.json").write_text(evil)
    assert evil in reported(tmp_path, tmp_path / "run")
    assert "<script" not in (tmp_path / "made.html").read_text()


def test_a_vector_graphic_called_png_is_not_taken_in(tmp_path, capsys):
    train(tmp_path / "run")
    (tmp_path / "run" / "validation.png").write_text("<?xml version='1.0'?><svg><script>alert(1)</script></svg>")
    made = reported(tmp_path, tmp_path / "run")
    fault = f"{tmp_path / 'run' / 'validation.png'} is damaged (neither PNG nor GIF)"
    assert f"Not shown: {fault}" in made and f"warning: {fault}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("evaluate", "likelihood.json"),
        ("plan", "results.json"),
        ("benchmark", "benchmark.json"),
        ("monitor", "monitor.json"),
        ("audit", "audit.json"),
        ("train", "checkpoint/config.json"),
        ("plan", "episodes/tasks-0000-0005.npz"),
        ("plan", "episodes/searches-0000-0005.npz"),
    ],
)
@pytest.mark.parametrize("how", ["cut", "emptied", "of another shape"])
def test_a_damaged_file_is_named_and_the_rest_is_shown(name, file, how, tmp_path, capsys):
    MAKERS[name](tmp_path / "run")
    path = tmp_path / "run" / file
    content = path.read_bytes()
    path.write_bytes({"cut": content[: len(content) // 2], "emptied": b"", "of another shape": b"[1]"}[how])
    made = reported(tmp_path, tmp_path / "run")
    warnings = [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning: ")]
    assert any(path.name in line for line in warnings) and path.name in made
    assert "provenance.json" in made


@pytest.mark.parametrize("value", [None, "x", 1e308, -1, [], {}, [[]], {"rate": 2, "low": 0, "high": 1}])
def test_numbers_that_make_no_sense_stop_nothing(value, tmp_path):
    for name, file in (
        ("plan", "results"),
        ("evaluate", "likelihood"),
        ("benchmark", "benchmark"),
        ("monitor", "monitor"),
    ):
        MAKERS[name](tmp_path / name)
        path = tmp_path / name / f"{file}.json"
        rewritten(path, **dict.fromkeys(json.loads(path.read_text()), value))
    made = reported(tmp_path, *(tmp_path / name for name in ("plan", "evaluate", "benchmark", "monitor")))
    assert "Settings" in made


def test_half_a_run_shows_what_is_there(tmp_path, capsys):
    plan(tmp_path / "run")
    (tmp_path / "run" / "results.json").unlink()
    made = reported(tmp_path, tmp_path / "run")
    fault = f"{tmp_path / 'run' / 'results.json'} is missing: the run has not finished, or not begun"
    assert f"Not shown: {fault}" in made and "Film strips" in made
    assert capsys.readouterr().out.count(fault) == 1


def test_a_run_without_results_is_one_that_has_begun(tmp_path):
    plan(tmp_path / "run")
    for path in (tmp_path / "run" / "results.json", *(tmp_path / "run" / "episodes").glob("*")):
        path.unlink()
    assert "begun, nothing finished yet" in reported(tmp_path, tmp_path / "run")


def test_no_run_is_refused_and_nothing_is_written(runs, tmp_path, capsys):
    (tmp_path / "notes").mkdir()
    (tmp_path / "file").touch()
    out = tmp_path / "out.html"
    for given, words in (
        ([tmp_path / "notes"], ["notes is no run: expected one of metrics.jsonl (train)"]),
        ([runs / "plan", tmp_path / "absent"], ["no folder", "absent"]),
        ([tmp_path / "file"], ["no folder", "file"]),
        ([runs], ["is no run", f"runs in it: {runs / 'audit'}, "]),
        ([], ["runs"]),
        ([runs / "plan", f"runs={runs / 'plan'}"], ["stands beside runs="]),
    ):
        message = refused(capsys, report, [*map(str, given), f"out={out}"])
        assert all(word in message for word in words) and not out.exists()
    assert "must be a file that ends in .html" in refused(capsys, report, [str(runs / "plan"), "out=report.pdf"])
    (tmp_path / "folder.html").mkdir()
    assert "is a folder" in refused(capsys, report, [str(runs / "plan"), f"out={tmp_path / 'folder.html'}"])
