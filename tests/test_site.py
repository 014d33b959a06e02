"""The site of the documents builds: every page is in its menu, every link leads somewhere, every name is documented."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
absent = [name for name in ("mkdocs", "material", "mkdocstrings") if importlib.util.find_spec(name) is None]
built = pytest.mark.skipif(bool(absent), reason=f"{', '.join(absent)} not installed (pip install 'vfplan[docs]')")


def pages(menu):
    for entry in menu:
        for value in entry.values():
            yield from pages(value) if isinstance(value, list) else [value]


def test_every_page_is_in_the_menu():
    menu = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    there = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert set(pages(menu)) == there | {"index.md"}


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "api").glob("*.md")), ids=lambda path: path.stem)
def test_every_module_of_the_reference_is_there(page):
    names = re.findall(r"^::: (\S+)$", page.read_text(), re.MULTILINE)
    assert names and all(importlib.util.find_spec(name) for name in names)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    called = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(folder)]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(called, cwd=ROOT, env=quiet, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return folder


@built
def test_the_site_builds_without_a_warning(site):
    assert (site / "index.html").is_file()
    assert 'id="vfplan.models.base.WorldModel.rollout"' in (site / "api" / "models" / "index.html").read_text()


@built
def test_links_of_the_readme_lead_into_the_site(site):
    text = (site / "index.html").read_text()
    assert 'href="control/"' in text and 'src="push_bair.gif"' in text and "](docs" not in text


@built
def test_nothing_is_fetched_from_elsewhere(site):
    for page in site.rglob("*.html"):
        loaded = re.findall(
            r"<(?:script|img|link rel=\"stylesheet\")[^>]*(?:src|href)=\"(https?:[^\"]*)\"", page.read_text()
        )
        assert not loaded, (page, loaded)
