"""The result of the offline tests as one page, index.html, that needs no other file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vfplan.output.page import Chapter, Note, Page, render
from vfplan.output.page import Section as Part
from vfplan.studies.offline.section import Section, Test


@dataclass(frozen=True)
class Done:
    """A test that was made, or that could not be."""

    test: Test
    section: Section | None
    absent: str
    """Why there is no section; empty if there is one."""
    seconds: float


def page(title: str, facts: Mapping[str, str], results: Sequence[Done]) -> str:
    """The HTML of all sections under a title and facts (name: value)."""
    chapter = Chapter(tuple(_part(done) for done in results))
    return render(Page(title, facts, (chapter,), numbers="likelihood.json"))


def _part(done: Done) -> Part:
    test = done.test
    if done.section is None:
        return Part(test.title, test.question, (Note(f"Absent: {done.absent}."),), anchor=test.name)
    remark = f"{done.seconds:.0f} s"
    return Part(test.title, test.question, done.section.items, remark=remark, anchor=test.name)
