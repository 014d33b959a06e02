"""The pages about parts of one's own name examples and commands that exist, and their Python runs."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
PAGES = ["extending.md", "interop.md"]


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_links_to_exists(page):
    links = re.findall(r"\]\(([^)#]+)\)", (DOCS / page).read_text())
    assert links and all((DOCS / link).is_file() for link in links)


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_names_exists(page):
    text, root = (DOCS / page).read_text(), DOCS.parent
    for path in re.findall(r"`((?:vfplan|envs|planners|tests)/[\w/]+\.py)`", text):
        assert (root / path).is_file(), path
    for module in re.findall(r"python -m ((?:vfplan|examples)\.\w+)", text):
        assert (root / f"{module.replace('.', '/')}.py").is_file(), module


def test_every_example_is_in_the_table():
    page = (DOCS / "extending.md").read_text()
    for path in (DOCS.parent / "examples").glob("*.py"):
        assert path.stem == "swm_modules" or f"| [{path.name}](../examples/{path.name}) |" in page, path


def test_python_of_the_page_makes_a_cost():
    (code,) = re.findall(r"```python\n(.*?)```", (DOCS / "interop.md").read_text(), re.DOTALL)
    found = {}
    exec(compile(code, "interop.md", "exec"), found)
    assert callable(found["cost"].get_cost) and found["cost"].model is found["model"]
