"""What `vfplan.audit` left: how each cost ranks candidates."""

from __future__ import annotations

from vfplan.output.page import Item, Section
from vfplan.reports.folder import RunFolder, number


def headline(run: RunFolder) -> str:
    """How much was judged."""
    found = run.object("audit.json")
    return f"{number(found.get('num_states'))} states of {number(found.get('num_episodes'))} episodes"


def ranking(run: RunFolder) -> Section:
    """The picture, and the table as it was printed."""
    run.object("audit.json")
    items: list[Item] = list(run.pictures({"audit.png": "How each cost ranks the planner's candidates."}))
    if run.has("audit.txt"):
        items.append(run.listing("audit.txt"))
    return Section("Audit", "Which cost ranks candidates as the true outcome does?", tuple(items), run.command)
