"""Search over action sequences. torch only: no world, no model.

To add a planner: subclass `SearchPlanner` (what it proposes, how it refits) and its config, and `register` both.
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
    "CONFIGS",
    "MPPI",
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
    "register",
]

CONFIGS: dict[str, type[PlannerConfig]] = {}
_MADE_BY: dict[type[PlannerConfig], type[SearchPlanner[Any]]] = {}


def register(name: str, config: type[PlannerConfig], made_by: type[SearchPlanner[Any]]) -> None:
    """Add a planner to those that commands know by name; where your module is imported, so in workers too.

    Raises:
        ValueError: if the name is taken by another, or the settings are those of another planner.
    """
    if CONFIGS.get(name, config) is not config:
        raise ValueError(f"there is a planner {name!r} already")
    if _MADE_BY.get(config, made_by) is not made_by:
        raise ValueError(f"{config.__name__} is what another planner is told; derive one of its own from it")
    CONFIGS[name], _MADE_BY[config] = config, made_by


register("icem", IcemConfig, Icem)
register("cem", CEMConfig, CEM)
register("mppi", MPPIConfig, MPPI)
register("shooting", ShootingConfig, Shooting)
register("gradient", GradientConfig, GradientPlanner)
register("random", RandomConfig, RandomPlanner)
register("zero", ZeroConfig, ZeroPlanner)


def config_class(name: str) -> type[PlannerConfig]:
    """The config dataclass of the planner called `name`; ValueError lists the valid names."""
    if name in CONFIGS:
        return CONFIGS[name]
    near = get_close_matches(name, CONFIGS, n=1, cutoff=0.5)
    hint = f" (did you mean {near[0]}?)" if near else ""
    raise ValueError(f"planner must be one of {', '.join(CONFIGS)}; got {name!r}{hint}")


def build(config: PlannerConfig, actions: int | Sequence[str]) -> SearchPlanner[Any]:
    """The planner that `config` describes, for actions of so many components, or of those with these names.

    Raises:
        ValueError: if `config` does not fit these components, or belongs to no planner.
    """
    names = [str(place) for place in range(actions)] if isinstance(actions, int) else actions
    made_by = _MADE_BY.get(type(config))
    if made_by is None:
        raise ValueError(f"no planner has a {type(config).__name__}; the planners are {', '.join(CONFIGS)}")
    return made_by(config, len(names), config.held(names))
