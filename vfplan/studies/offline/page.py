"""The result of the offline tests as one page: index.html, with the pictures beside it. No scripts, nothing fetched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from vfplan.studies.offline.section import Picture, Section, Table, Test

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff;
  max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: .2rem; } h2 { font-size: 1.25rem; margin-top: 2.6rem; }
h2, nav { border-bottom: 1px solid #ddd; padding-bottom: .3rem; }
nav a { margin-right: 1rem; } a { color: #0b5394; }
.question { font-style: italic; } .sentence, .facts { color: #555; font-size: .92rem; max-width: 56rem; }
.absent { background: #f5f5f5; padding: .5rem .8rem; }
table { border-collapse: collapse; margin-top: 1rem; font-size: .9rem; display: block; overflow-x: auto; }
th, td { padding: .25rem .8rem .25rem 0; text-align: right; white-space: nowrap; border-bottom: 1px solid #eee; }
th { border-bottom: 1px solid #999; } th:first-child, td:first-child { text-align: left; }
figure { margin: 1.2rem 0; } img { max-width: 100%; }
"""


@dataclass(frozen=True)
class Done:
    """A test that was made, or that could not be."""

    test: Test
    section: Section | None
    absent: str
    """Why there is no section; empty if there is one."""
    seconds: float


def page(title: str, facts: Mapping[str, str], results: Sequence[Done]) -> str:
    """The HTML of all sections under a title and a line of facts (name: value)."""
    listed = " &middot; ".join(f"{escape(name)} <b>{escape(value)}</b>" for name, value in facts.items())
    links = "".join(f'<a href="#{done.test.name}">{escape(done.test.title)}</a>' for done in results)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width">\n<style>{STYLE}</style>\n</head>\n<body>\n'
        f'<h1>{escape(title)}</h1>\n<p class="facts">{listed}</p>\n<nav>{links}</nav>\n'
        + "\n".join(map(_section, results))
        + '\n<p class="facts">All numbers are in <a href="likelihood.json">likelihood.json</a>.</p>\n</body>\n</html>\n'
    )


def _section(done: Done) -> str:
    test = done.test
    head = f'<h2 id="{test.name}">{escape(test.title)}</h2>\n<p class="question">{escape(test.question)}</p>'
    if done.section is None:
        return f'{head}\n<p class="absent">Absent: {escape(done.absent)}.</p>'
    items = (_table(item) if isinstance(item, Table) else _picture(item) for item in done.section.items)
    return "\n".join([head, *items, f'<p class="facts">{done.seconds:.0f} s</p>'])


def _table(table: Table) -> str:
    def row(values: Sequence[str], cell: str) -> str:
        return "<tr>" + "".join(f"<{cell}>{escape(value)}</{cell}>" for value in values) + "</tr>"

    rows = "\n".join([row(table.header, "th"), *(row(values, "td") for values in table.rows)])
    return f'<table>\n{rows}\n</table>\n<p class="sentence">{escape(table.sentence)}</p>'


def _picture(picture: Picture) -> str:
    caption = escape(picture.sentence)
    return (
        f'<figure>\n<img src="{escape(picture.file)}" alt="{caption}">\n'
        f'<figcaption class="sentence">{caption}</figcaption>\n</figure>'
    )
