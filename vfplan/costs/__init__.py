"""How far imagined frames are from a goal image, in ways that a planner can descend. No model, planner or world.

To add a cost: a file with its settings and a callable from frames to numbers, and `register` both; of one that ships, a
line in `singles.py` and `configs/cost/<name>.yaml`.
"""

from __future__ import annotations

from collections.abc import Callable

from vfplan.costs import singles
from vfplan.costs.base import Cost, CostConfig, Goal, LatentSpace
from vfplan.costs.designated_pixel import DesignatedPixel, DesignatedPixelConfig
from vfplan.costs.displacement import Displacement, DisplacementConfig
from vfplan.costs.goal_image import GoalImage, GoalImageConfig
from vfplan.costs.goal_likelihood import GoalLikelihood, GoalLikelihoodConfig
from vfplan.costs.latent import Latent, LatentConfig
from vfplan.costs.pixel import Chroma, ChromaConfig, Pixel, PixelConfig
from vfplan.costs.singles import SINGLES, NoLatentsError, build_single, config_of
from vfplan.costs.weighted_sum import SumConfig, Term, WeightedSum

__all__ = [
    "CONFIGS",
    "Chroma",
    "ChromaConfig",
    "Cost",
    "CostConfig",
    "DesignatedPixel",
    "DesignatedPixelConfig",
    "Displacement",
    "DisplacementConfig",
    "Goal",
    "GoalImage",
    "GoalImageConfig",
    "GoalLikelihood",
    "GoalLikelihoodConfig",
    "Latent",
    "LatentConfig",
    "LatentSpace",
    "NoLatentsError",
    "Pixel",
    "PixelConfig",
    "SumConfig",
    "Term",
    "WeightedSum",
    "build_cost",
    "config_of",
    "register",
]

CONFIGS: dict[str, type[CostConfig]] = SINGLES | {"sum": SumConfig}


def register(name: str, config: type[CostConfig], made_by: Callable[..., Cost]) -> None:
    """Add a cost to those that commands, and sums of costs, know by name; where your module is imported.

    Args:
        name: what chooses it, as in `cost=NAME`.
        config: its settings, a frozen dataclass with defaults.
        made_by: makes the cost from the settings; also from a `LatentSpace` where these say that it `needs_latents`.

    Raises:
        ValueError: if the name is taken by another, or the settings are those of another cost.
    """
    if CONFIGS.get(name, config) is not config:
        raise ValueError(f"there is a cost {name!r} already")
    singles.add(name, config, made_by)
    CONFIGS[name] = config


def build_cost(config: CostConfig, space: LatentSpace | None = None) -> Cost:
    """The cost that `config` describes.

    Args:
        config: one of the settings in `CONFIGS`.
        space: the model's latents, where it has any.

    Raises:
        NoLatentsError: if the cost needs them and there are none.
    """
    return WeightedSum(config, space) if isinstance(config, SumConfig) else build_single(config, space)
