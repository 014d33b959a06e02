"""Search over action sequences. torch only: no world, no model.

To add a planner: subclass `SamplingPlanner` (what it proposes, how it refits; or `SearchPlanner`, if it draws no plans
around a nominal one) and its config, and name both below.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from planners.base import Belief, Plan, Planner, Score, Scored, Trace
from planners.baselines import RandomConfig, RandomPlanner, ZeroConfig, ZeroPlanner
from planners.cem import CEM, CEMConfig
from planners.gradient import GradientConfig, GradientPlanner
from planners.icem import Icem, IcemConfig
from planners.mppi import MPPI, MPPIConfig
from planners.sampling import GaussianConfig, SamplingConfig
from planners.search import PlannerConfig, SearchPlanner
from planners.shooting import Shooting, ShootingConfig

__all__ = [
    "CEM",
    "MPPI",
    "NAMES",
    "Belief",
    "CEMConfig",
    "GaussianConfig",
    "GradientConfig",
    "GradientPlanner",
    "Icem",
    "IcemConfig",
    "MPPIConfig",
    "Plan",
    "Planner",
    "PlannerConfig",
    "RandomConfig",
    "RandomPlanner",
    "SamplingConfig",
    "Score",
    "Scored",
    "SearchPlanner",
    "Shooting",
    "ShootingConfig",
    "Trace",
    "ZeroConfig",
    "ZeroPlanner",
    "build",
    "config_class",
]

_CONFIGS: dict[str, type[PlannerConfig]] = {
    "icem": IcemConfig,
    "cem": CEMConfig,
    "mppi": MPPIConfig,
    "shooting": ShootingConfig,
    "gradient": GradientConfig,
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


def build(config: PlannerConfig, names: Sequence[str] | None = None) -> SearchPlanner:
    """The planner that `config` describes, for action components with these names (default: 0, 1, ...).

    Raises:
        ValueError: if `config` holds a component that is not among them.
    """
    planner = _build(config)
    planner.hold(config.held(names or [str(place) for place in range(config.action_dim)]))
    return planner


def _build(config: PlannerConfig) -> SearchPlanner:
    match config:
        case IcemConfig():  # before CEMConfig, of which it is one
            return Icem(config)
        case CEMConfig():
            return CEM(config)
        case MPPIConfig():
            return MPPI(config)
        case ShootingConfig():
            return Shooting(config)
        case GradientConfig():
            return GradientPlanner(config)
        case RandomConfig():
            return RandomPlanner(config)
        case ZeroConfig():
            return ZeroPlanner(config)
        case _:
            raise ValueError(f"no planner has a {type(config).__name__}; the planners are {', '.join(NAMES)}")
