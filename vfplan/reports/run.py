"""One page about several runs: what the command `report` makes."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from vfplan.errors import UserError, said
from vfplan.output.folder import package_versions, write_text
from vfplan.output.page import Chapter, Note, Page, Section, Table, encodable, render
from vfplan.reports.folder import RunFolder
from vfplan.reports.kinds import KINDS, LAST, Kind, Part, kinds_of
from vfplan.reports.settings import ReportConfig


def run(config: ReportConfig) -> None:
    """Read all runs, write the page, print where it is, what is missing in it, and how to open it."""
    out = Path(config.out)
    if out.is_dir():
        raise UserError(f"out={out} is a folder; give the file to write")
    runs = [(folder, kinds) for folder, kinds in map(_opened, config.folders)]
    faults: list[str] = []
    chapters = tuple(_chapter(folder, kind, faults) for folder, kinds in runs for kind in kinds)
    glance = Chapter((_glance(runs),))
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    facts = {"runs": str(len(runs)), "made": made, "vfplan": package_versions().get("vfplan", "")}
    text = render(Page("Report", facts, (glance, *chapters)))
    write_text(out, text)
    for fault in dict.fromkeys(faults):
        print(f"warning: {encodable(fault)}")
    print(f"wrote {out}, {len(text.encode()) / 1e6:.1f} MB, {len(runs)} runs")
    print(f"next: python -m webbrowser {shlex.quote(str(out))}")


def _opened(name: str) -> tuple[RunFolder, list[Kind]]:
    """A run, and what is in it. Raises UserError for what is none."""
    path = Path(name)
    if not path.is_dir():
        raise UserError(f"no folder {said(name)}")
    kinds = kinds_of(RunFolder(path))
    if not kinds:
        below = sorted(str(each) for each in path.glob("*") if each.is_dir() and kinds_of(RunFolder(each)))[:10]
        hint = f"; runs in it: {', '.join(below)}" if below else ""
        marks = ", ".join(f"{kind.marks[0]} ({kind.command})" for kind in KINDS)
        raise UserError(f"{said(name)} is no run: expected one of {marks}{hint}")
    return RunFolder(path), kinds


def _glance(runs: Sequence[tuple[RunFolder, list[Kind]]]) -> Section:
    """A table of all runs."""
    rows = []
    for folder, kinds in runs:
        for kind in kinds:
            try:
                result = kind.headline(folder)
            except Exception as error:  # what strangers' files make of a reader is no closed set
                result = f"not known: {said(error)}"
            rows.append((str(folder.path), kind.command, result))
    table = Table(("run", "command", "result"), tuple(rows), "Details are below, run by run.")
    return Section("At a glance", "", (table,), anchor="glance")


def _chapter(folder: RunFolder, kind: Kind, faults: list[str]) -> Chapter:
    sections = tuple(_sections(folder, (*kind.parts, *LAST), faults))
    return Chapter(sections, str(folder.path), kind.command, folder.facts)


def _sections(folder: RunFolder, parts: Sequence[Part], faults: list[str]) -> Iterator[Section]:
    """What each part shows; one that cannot be read says why, and the others are shown all the same."""
    for part in parts:
        try:
            found = part(folder)
        except Exception as error:  # what strangers' files make of a reader is no closed set
            known = isinstance(error, UserError)
            reason = said(error) if known else f"{folder.path}: {type(error).__name__}: {said(error)}"
            faults.append(reason)
            found = Section(part.__name__.replace("_", " ").capitalize(), "", (Note(f"Not shown: {reason}"),))
        if found is not None:
            yield found
