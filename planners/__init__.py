"""Search over action sequences. torch only: no world, no model.

To add a planner: subclass `SearchPlanner` (what it proposes, how it refits) and `PlannerConfig`, and name both below.
"""

from __future__ import annotations

from difflib import get_close_matches

from planners.base import Belief, Plan, Planner, Score, Trace
from planners.baselines import RandomConfig, RandomPlanner, ZeroConfig, ZeroPlanner
from planners.cem import CEM, CEMConfig
from planners.icem import Icem, IcemConfig
from planners.search import PlannerConfig, SearchPlanner

__all__ = [
    "CEM",
    "NAMES",
    "Belief",
    "CEMConfig",
    "Icem",
    "IcemConfig",
    "Plan",
    "Planner",
    "PlannerConfig",
    "RandomConfig",
    "RandomPlanner",
    "Score",
    "SearchPlanner",
    "Trace",
    "ZeroConfig",
    "ZeroPlanner",
    "build",
    "config_class",
]

_CONFIGS: dict[str, type[PlannerConfig]] = {
    "icem": IcemConfig,
    "cem": CEMConfig,
    "random": RandomConfig,
    "zero": ZeroConfig,
}
NAMES = tuple(_CONFIGS)


def config_class(name: str) -> type[PlannerConfig]:
    """The config dataclass of the planner called `name`; ValueError lists the valid names."""
    if name in _CONFIGS:
        return _CONFIGS[name]
    near = get_close_matches(name, NAMES, n=1, cutoff=0.5)
    hint = f" (did you mean {near[0]}?)" if near else ""
    raise ValueError(f"planner must be one of {', '.join(NAMES)}; got {name!r}{hint}")


def build(config: PlannerConfig) -> Planner:
    """The planner that `config` describes."""
    match config:
        case IcemConfig():  # before CEMConfig, of which it is one
            return Icem(config)
        case CEMConfig():
            return CEM(config)
        case RandomConfig():
            return RandomPlanner(config)
        case ZeroConfig():
            return ZeroPlanner(config)
        case _:
            raise ValueError(f"no planner has a {type(config).__name__}; the planners are {', '.join(NAMES)}")
