"""The table of a comparison, as aligned text and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from vfplan.studies.benchmark.report import Pair, Rate, RowReport

HEADER = (
    "row",
    "5 cm, end",
    "3 cm, end",
    "5 cm, ever",
    "3 cm, ever",
    "median, mean",
    "s/plan",
    "pairs",
    "p (Holm)",
    "ratio",
)
READS = "*"
"""Marks the rows that read the simulator's state."""


def notes(reports: Sequence[RowReport], *, reference: str) -> list[str]:
    """What must be known to read the table."""
    first = reports[0]
    return [
        f"{first.num_tasks} tasks, {first.excluded} more excluded as solved at the start (within 5 cm); median distance"
        f" at the start {first.distance_cm['start_median']:.1f} cm.",
        "Success, with Wilson 95 % intervals: within 5 or 3 cm at the end of the episode, or ever after an action.",
        "Median and mean of the distance at the end. s/plan: wall time of planning once, per task of a group.",
        f"pairs: tasks solved (5 cm, end) by this row only : by {reference} only; exact McNemar p, Holm-adjusted p.",
        "ratio: of success (5 cm, end) to that of simulator-image, 95 % paired bootstrap.",
        f"{READS} reads the simulator's state.",
    ]


def text_table(reports: Sequence[RowReport]) -> list[str]:
    """Lines of aligned columns."""
    grid = [HEADER, *map(_cells, reports)]
    widths = [max(len(row[column]) for row in grid) for column in range(len(HEADER))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in grid]


def markdown_table(reports: Sequence[RowReport], *, reference: str) -> list[str]:
    """The table of `text_table` in Markdown, the reference in bold, and what each row is."""
    lines = [_row(HEADER), _row(["---"] * len(HEADER))]
    for report in reports:
        cells = list(_cells(report))
        name = cells[0].replace(READS, r"\*")
        cells[0] = f"**{name}**" if report.name == reference else name
        lines.append(_row(cells))
    lines += ["", _row(("row", "settings (arguments of `vfplan.plan`)", "commit")), _row(["---"] * 3)]
    for report in reports:
        settings = f"`{' '.join(report.overrides)}`" if report.overrides else "does not plan"
        if report.name == "simulator-state":
            settings += ", the true distance as the cost"
        commits = ", ".join(f"`{commit[:7]}{'-dirty' * commit.endswith('-dirty')}`" for commit in report.commits)
        lines.append(_row((report.name, settings, commits)))
    return lines


def _cells(report: RowReport) -> tuple[str, ...]:
    seconds = "-" if report.seconds_per_plan is None else f"{report.seconds_per_plan:.2f}"
    return (
        report.name + (f" {READS}" if report.reads_simulator else ""),
        *(_rate(rates[limit]) for rates in (report.end, report.any_time) for limit in ("5 cm", "3 cm")),
        f"{report.distance_cm['median']:.1f}, {report.distance_cm['mean']:.1f} cm",
        seconds,
        *_pair(report.against),
        _ratio(report.ratio),
    )


def _rate(rate: Rate) -> str:
    return f"{100 * rate.rate:.1f} % [{100 * rate.low:.1f}, {100 * rate.high:.1f}]"


def _pair(pair: Pair | None) -> tuple[str, str]:
    if pair is None:
        return "reference", "-"
    return f"{pair.only_this} : {pair.only_other}", f"{pair.p:.2g} ({pair.p_holm:.2g})"


def _ratio(ratio: dict[str, float | None] | None) -> str:
    if ratio is None or ratio["estimate"] is None:
        return "-"
    shown = ["inf" if ratio[key] is None else f"{ratio[key]:.2f}" for key in ("estimate", "low", "high")]
    return f"{shown[0]} [{shown[1]}, {shown[2]}]"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
