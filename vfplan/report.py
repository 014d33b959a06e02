"""Command: one page about runs, `python -m vfplan.report RUN_FOLDERS... out=report.html`."""

from __future__ import annotations

from vfplan.cli.config import command
from vfplan.reports.settings import ReportConfig

HELP = """
Put what train, evaluate, plan, benchmark, monitor and audit left on one page: a single file that needs no other, runs
no script and fetches nothing. Folders are given by themselves or as runs=[A,B].

examples:
  python -m vfplan.report runs/push
  python -m vfplan.report runs/push runs/benchmark out=report.html
  python -m vfplan.report 'runs=[runs/push,runs/benchmark]' out=report.html
  python -m vfplan.plan env=push record=true run_dir=runs/p && python -m vfplan.report runs/p  # the planner's view, too
"""


def report(config: ReportConfig) -> None:
    """Write the page."""
    from vfplan.reports.run import run

    run(config)


main = command(report, ReportConfig, name="report", help=HELP, words="runs")

if __name__ == "__main__":
    main()
