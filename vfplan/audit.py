"""Command: how well each cost ranks a planner's own candidates, on true and on predicted frames."""

from __future__ import annotations

from vfplan import sections
from vfplan.cli.config import command
from vfplan.studies.audit.settings import AuditConfig

HELP = """
Judge costs on the candidates that the planner itself scores in closed-loop episodes. Every candidate is executed in the
simulator; each cost then ranks them by the frames that really follow and by those that the model predicts, and the
rank correlation with the true final distance of the object tells the cost's errors from the model's. Writes
audit.json, audit.txt and audit.png.

examples:
  python -m vfplan.audit env=push
  python -m vfplan.audit checkpoint=runs/push/checkpoint num_states=100 num_tasks=50
  python -m vfplan.audit 'costs=[{name: pixel}, {name: goal_image, label: blurrier, settings: {blurs: [0.1, 0.3]}}]'
  python -m vfplan.audit cost=displacement  # the same on the candidates that another cost leads to
"""


def audit(config: AuditConfig) -> None:
    """Run the episodes, judge the costs, print the table, write the run folder."""
    from vfplan.studies.audit.run import run

    run(config)


main = command(audit, AuditConfig, name="audit", help=HELP, results="audit.json", sections=sections.PLANNING)

if __name__ == "__main__":
    main()
