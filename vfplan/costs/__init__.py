"""How far imagined frames are from a goal image, in ways that a planner can descend. No model, planner or world.

To add a cost: a file with its settings and a callable from frames to numbers, a line in each half of `singles.py`, and
`configs/cost/<name>.yaml`.
"""

from __future__ import annotations

from vfplan.costs.base import Cost, CostConfig, Goal, LatentSpace
from vfplan.costs.designated_pixel import DesignatedPixel, DesignatedPixelConfig
from vfplan.costs.displacement import Displacement, DisplacementConfig
from vfplan.costs.goal_image import GoalImage, GoalImageConfig
from vfplan.costs.goal_likelihood import GoalLikelihood, GoalLikelihoodConfig
from vfplan.costs.latent import Latent, LatentConfig
from vfplan.costs.pixel import Chroma, ChromaConfig, Pixel, PixelConfig
from vfplan.costs.singles import SINGLES, build_single, config_of
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
    "Pixel",
    "PixelConfig",
    "SumConfig",
    "Term",
    "WeightedSum",
    "build_cost",
    "config_of",
]

CONFIGS: dict[str, type[CostConfig]] = SINGLES | {"sum": SumConfig}


def build_cost(config: CostConfig, space: LatentSpace | None = None) -> Cost:
    """The cost that `config` describes.

    Args:
        config: one of the settings in `CONFIGS`.
        space: the model's latents, where it has any.

    Raises:
        UserError: if the cost needs them and there are none.
    """
    return WeightedSum(config, space) if isinstance(config, SumConfig) else build_single(config, space)
