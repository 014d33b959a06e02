"""The parts that commands are configured from. Each loads what it names only when it is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def pushing() -> dict[str, Any]:
    """What describes the pushing environments, by name."""
    from envs.scene import PRESETS

    return dict(PRESETS)


def environments() -> dict[str, Any]:
    """What describes every environment, those of Gymnasium included, by name."""
    from envs import CONFIGS

    return dict(CONFIGS)


def _planners() -> dict[str, Any]:
    from planners import CONFIGS

    return dict(CONFIGS)


def _costs() -> dict[str, Any]:
    from vfplan.costs import CONFIGS

    return dict(CONFIGS)


def _scoring() -> type:
    from vfplan.control.scoring import ScoringConfig

    return ScoringConfig


def _control() -> type:
    from vfplan.control.settings import ControlConfig

    return ControlConfig


def plan_command(env: str, description: Mapping[str, Any], checkpoint: Path) -> str | None:
    """The command that plans where the data of a checkpoint come from; None where they are recordings."""
    import envs

    arguments = envs.arguments(env, description)
    return arguments and f"python -m vfplan.plan {arguments} checkpoint={checkpoint}"


PLANNING: dict[str, Callable[[], Any]] = {
    "env": pushing,
    "planner": _planners,
    "cost": _costs,
    "scoring": _scoring,
    "control": _control,
}
"""What configures each section of a command that plans in a pushing environment."""
