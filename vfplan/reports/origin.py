"""The settings of a run, and where it comes from."""

from __future__ import annotations

from vfplan.output.page import Section
from vfplan.reports.folder import RunFolder


def settings(run: RunFolder) -> Section | None:
    """What it was told, to be unfolded."""
    there = [name for name in ("config.json", "provenance.json") if run.has(name)]
    if not there:
        return None
    return Section("Settings", "All that the run was told, and where it comes from.", tuple(map(run.listing, there)))
