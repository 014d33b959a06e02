"""Command: how well each cost ranks a planner's own candidates, on true and on predicted frames."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from vfplan import sections
from vfplan.checks import require_at_least
from vfplan.cli.config import command

if TYPE_CHECKING:
    from envs.scene import PushConfig
    from planners.search import PlannerConfig
    from vfplan.control.loop import ControlConfig
    from vfplan.control.scoring import ScoringConfig
    from vfplan.costs import CostConfig

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


@dataclass(frozen=True)
class AuditedCost:
    """A cost to judge. Raises UserError for a name or a setting that does not exist."""

    name: str
    label: str = ""
    """What it is called in the report; its name by default."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Keys of that cost; what is not given has its default."""

    def __post_init__(self) -> None:
        self.config()

    @property
    def title(self) -> str:
        """What it is called in the report."""
        return self.label or self.name

    def config(self) -> CostConfig:
        """The settings of the cost itself."""
        from vfplan.costs import CONFIGS, config_of

        return config_of(self.name, self.settings, CONFIGS)


@dataclass(frozen=True)
class AuditConfig:
    """Configuration of `vfplan.audit`; the comments in `configs/audit.yaml` say what each key is."""

    env: PushConfig
    planner: PlannerConfig
    cost: CostConfig
    scoring: ScoringConfig
    control: ControlConfig
    costs: tuple[AuditedCost, ...]
    model: Literal["videoflow", "oracle"] = "videoflow"
    checkpoint: str = ""
    tasks: Literal["benchmark", "dev"] = "dev"
    num_tasks: int = 20
    num_states: int = 50
    goal_hand: bool = False
    lockstep: int = 10
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    threads: int = 0
    device: str = "auto"
    seed: int = 0
    run_dir: str = ""

    def __post_init__(self) -> None:
        if self.num_tasks < 0:
            raise ValueError(f"num_tasks must be 0 (all) or more; got {self.num_tasks}")
        require_at_least(self, num_states=1, lockstep=1, threads=0)
        titles = [cost.title for cost in self.costs]
        if not titles:
            raise ValueError("costs must be one or more of {name, label, settings}")
        for title in titles:
            if titles.count(title) > 1:
                raise ValueError(f"two costs are called {title!r}; give one of them a label of its own")


def audit(config: AuditConfig) -> None:
    """Run the episodes, judge the costs, print the table, write the run folder."""
    from vfplan.studies.audit.run import run

    run(config)


main = command(audit, AuditConfig, name="audit", help=HELP, sections=sections.PLANNING)

if __name__ == "__main__":
    main()
