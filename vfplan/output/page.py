"""Pages of one file: every text escaped by Jinja2, pictures inlined, no script, nothing fetched."""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

MOST_BYTES = 10_000_000
TEXT_BYTES = 1_500_000
"""Of them, what is left to text."""

WIDE = 760
"""Pixels of a picture's width from which it scrolls on a narrow screen instead of shrinking beyond recognition."""

SIGNATURES = {b"\x89PNG\r\n\x1a\n": "image/png", b"GIF87a": "image/gif", b"GIF89a": "image/gif"}
DRAWN = b"<?xml"
"""How the vector graphics begin that vfplan draws; they are never taken from a file."""


@dataclass(frozen=True)
class Share:
    """How many of the cases, with an interval; a cell of a table. All in [0, 1]."""

    rate: float
    low: float
    high: float

    @property
    def text(self) -> str:
        """In percent, with the interval."""
        return f"{100 * self.rate:.1f} % [{100 * self.low:.1f}, {100 * self.high:.1f}]"


Cell: TypeAlias = str | Share


@dataclass(frozen=True)
class Table:
    """Rows of text under a header, and a sentence that says what they mean and what good looks like."""

    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    sentence: str
    kind: ClassVar[str] = "table"

    @property
    def prose(self) -> frozenset[int]:
        """The columns in which there are words, not numbers alone."""
        return frozenset(
            column
            for row in self.rows
            for column, value in enumerate(row)
            if isinstance(value, str) and value[:1].isalpha()
        )


@dataclass(frozen=True)
class Picture:
    """An encoded image (PNG or GIF by the file's name, or a chart as SVG), and a sentence that says what it shows."""

    file: str
    content: bytes
    sentence: str
    kind: ClassVar[str] = "picture"

    @property
    def media(self) -> str:
        """Its media type. Raises ValueError for content that is no image."""
        if self.content.startswith(DRAWN):
            return "image/svg+xml"
        return media_of(self.content)

    @property
    def source(self) -> str:
        """All of it as a URI."""
        return f"data:{self.media};base64,{base64.b64encode(self.content).decode()}"

    @property
    def look(self) -> str:
        """How it is shown: a `chart`, `wide` frames, or frames."""
        if self.media == "image/svg+xml":
            return "chart"
        return "wide" if _width(self.content) > WIDE else "frames"


@dataclass(frozen=True)
class Note:
    """What is missing, and why."""

    text: str
    kind: ClassVar[str] = "note"


@dataclass(frozen=True)
class Listing:
    """Text that is shown when it is asked for."""

    title: str
    text: str
    kind: ClassVar[str] = "listing"


Item: TypeAlias = Table | Picture | Note | Listing


@dataclass(frozen=True)
class Section:
    """Tables and pictures about one question."""

    title: str
    lead: str
    items: tuple[Item, ...]
    command: str = ""
    """What made its figures."""
    remark: str = ""
    """What is said at its end."""
    anchor: str = ""


@dataclass(frozen=True)
class Chapter:
    """Sections about one subject; a page with a single one needs no title for it."""

    sections: tuple[Section, ...]
    title: str = ""
    tag: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """A title, facts (name: value) and chapters; `numbers` names the file beside it that has all numbers."""

    title: str
    facts: Mapping[str, str]
    chapters: tuple[Chapter, ...]
    numbers: str = ""


def render(page: Page) -> str:
    """The HTML, at most MOST_BYTES with ordinary texts: the largest pictures are left out where there are too many."""
    style = _template_file("page.css")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    template = _environment().get_template("page.html")
    text = str(template.render(page=_numbered(_fitting(page)), style=style, policy=policy)) + "\n"
    return encodable(text)


def encodable(text: str) -> str:
    """The text with a question mark for each character that UTF-8 has not: JSON and names of files may hold such."""
    return text.encode(errors="replace").decode()


def media_of(content: bytes) -> str:
    """The media type of a PNG or GIF. Raises ValueError for any other content."""
    for signature, media in SIGNATURES.items():
        if content.startswith(signature):
            return media
    raise ValueError("neither PNG nor GIF")


@cache
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder = FileSystemLoader(Path(__file__).with_name("templates"))
    return Environment(loader=folder, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def _template_file(name: str) -> str:
    return Path(__file__).with_name("templates").joinpath(name).read_text()


def _numbered(page: Page) -> Page:
    """The page whose sections all have an anchor; those of a report are called by their places."""

    def anchored(chapter: int, index: int, section: Section) -> Section:
        return replace(section, anchor=section.anchor or f"part-{chapter + 1}-{index + 1}")

    chapters = tuple(
        replace(chapter, sections=tuple(anchored(place, i, section) for i, section in enumerate(chapter.sections)))
        for place, chapter in enumerate(page.chapters)
    )
    return replace(page, chapters=chapters)


def _fitting(page: Page) -> Page:
    """The page without its largest pictures, as long as those that are left are too large for it together."""
    pictures = [
        item
        for chapter in page.chapters
        for section in chapter.sections
        for item in section.items
        if isinstance(item, Picture)
    ]
    kept, room = set(), (MOST_BYTES - TEXT_BYTES) * 3 // 4
    for picture in sorted(pictures, key=lambda picture: len(picture.content)):
        room -= len(picture.content)
        if room >= 0:
            kept.add(id(picture))

    def shown(items: Iterable[Item]) -> tuple[Item, ...]:
        return tuple(_left_out(i) if isinstance(i, Picture) and id(i) not in kept else i for i in items)

    chapters = tuple(
        replace(chapter, sections=tuple(replace(part, items=shown(part.items)) for part in chapter.sections))
        for chapter in page.chapters
    )
    return replace(page, chapters=chapters)


def _left_out(picture: Picture) -> Note:
    size = len(picture.content) / 1e6
    return Note(f"{picture.file} ({size:.1f} MB) is left out: a page has at most {MOST_BYTES // 10**6} MB.")


def _width(content: bytes) -> int:
    """Pixels across a PNG or GIF, as its header says."""
    if content.startswith(b"GIF"):
        return int(struct.unpack("<H", content[6:8].ljust(2, b"\0"))[0])
    return int(struct.unpack(">I", content[16:20].ljust(4, b"\0"))[0])
