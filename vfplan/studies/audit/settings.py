"""What is judged in an audit of costs. No torch here: `python -m vfplan.audit --help` reads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from vfplan.checks import within
from vfplan.control.settings import SessionConfig

if TYPE_CHECKING:
    from envs.scene import PushConfig
    from vfplan.costs import CostConfig


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


@dataclass(frozen=True, kw_only=True)
class AuditConfig(SessionConfig):
    """Configuration of `vfplan.audit`; the comments in `configs/audit.yaml` say what each key is."""

    env: PushConfig
    costs: tuple[AuditedCost, ...]
    tasks: Literal["benchmark", "dev"] = "dev"
    num_tasks: int = within(20, 0, 1_000_000)
    num_states: int = within(50, 1, 1_000_000)

    def __post_init__(self) -> None:
        super().__post_init__()
        titles = [cost.title for cost in self.costs]
        if not titles:
            raise ValueError("costs must be one or more of {name, label, settings}")
        for title in titles:
            if titles.count(title) > 1:
                raise ValueError(f"two costs are called {title!r}; give one of them a label of its own")
