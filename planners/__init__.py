"""Search over action sequences. torch only: no world, no model.

To add a planner: subclass `SearchPlanner` (what it proposes, how it refits) and its config, and name both below.
`planners.gaussian` draws plans around a nominal one.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from planners.base import Belief, Plan, Planner, Score, Scored, Trace
from planners.baselines import RandomConfig, RandomPlanner, ZeroConfig, ZeroPlanner
from planners.cem import CEM, CEMConfig
from planners.gaussian import GaussianConfig, SamplingConfig
from planners.gradient import GradientConfig, GradientPlanner
from planners.icem import Icem, IcemConfig
from planners.mppi import MPPI, MPPIConfig
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

_PLANNERS: dict[str, tuple[type[PlannerConfig], type[SearchPlanner[Any]]]] = {
    "icem": (IcemConfig, Icem),
    "cem": (CEMConfig, CEM),
    "mppi": (MPPIConfig, MPPI),
    "shooting": (ShootingConfig, Shooting),
    "gradient": (GradientConfig, GradientPlanner),
    "random": (RandomConfig, RandomPlanner),
    "zero": (ZeroConfig, ZeroPlanner),
}
NAMES = tuple(_PLANNERS)


def config_class(name: str) -> type[PlannerConfig]:
    """The config dataclass of the planner called `name`; ValueError lists the valid names."""
    if name in _PLANNERS:
        return _PLANNERS[name][0]
    near = get_close_matches(name, NAMES, n=1, cutoff=0.5)
    hint = f" (did you mean {near[0]}?)" if near else ""
    raise ValueError(f"planner must be one of {', '.join(NAMES)}; got {name!r}{hint}")


def build(config: PlannerConfig, actions: int | Sequence[str]) -> SearchPlanner[Any]:
    """The planner that `config` describes, for actions of so many components, or of those with these names.

    Raises:
        ValueError: if `config` does not fit these components, or belongs to no planner.
    """
    names = [str(place) for place in range(actions)] if isinstance(actions, int) else actions
    made_by = dict(_PLANNERS.values()).get(type(config))
    if made_by is None:
        raise ValueError(f"no planner has a {type(config).__name__}; the planners are {', '.join(NAMES)}")
    return made_by(config, len(names), config.held(names))
