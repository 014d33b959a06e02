"""Every cost but their sum: what there is, and how one is made from its settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vfplan.costs.base import Cost, CostConfig, LatentSpace
from vfplan.costs.designated_pixel import DesignatedPixel, DesignatedPixelConfig
from vfplan.costs.displacement import Displacement, DisplacementConfig
from vfplan.costs.goal_image import GoalImage, GoalImageConfig
from vfplan.costs.goal_likelihood import GoalLikelihood, GoalLikelihoodConfig
from vfplan.costs.latent import Latent, LatentConfig
from vfplan.costs.pixel import Chroma, ChromaConfig, Pixel, PixelConfig
from vfplan.errors import UserError
from vfplan.schema import from_mapping, unknown_message

SINGLES: dict[str, type[CostConfig]] = {
    "chroma": ChromaConfig,
    "designated_pixel": DesignatedPixelConfig,
    "displacement": DisplacementConfig,
    "goal_image": GoalImageConfig,
    "goal_likelihood": GoalLikelihoodConfig,
    "latent": LatentConfig,
    "pixel": PixelConfig,
}


def build_single(config: CostConfig, space: LatentSpace | None) -> Cost:
    """The cost that `config` describes. Raises UserError where it looks into a model that does not let it."""
    match config:
        case GoalImageConfig():
            return GoalImage(config)
        case PixelConfig():
            return Pixel(config)
        case ChromaConfig():
            return Chroma(config)
        case DisplacementConfig():
            return Displacement(config)
        case DesignatedPixelConfig():
            return DesignatedPixel(config)
        case LatentConfig():
            return Latent(config, _needed(config, space))
        case GoalLikelihoodConfig():
            return GoalLikelihood(config, _needed(config, space))
        case _:
            raise ValueError(f"no cost has a {type(config).__name__}; the costs are {', '.join(SINGLES)}")


def config_of(name: str, settings: Mapping[str, Any], known: Mapping[str, type[CostConfig]]) -> CostConfig:
    """The settings of the cost called `name`, defaults where `settings` says nothing. Raises UserError."""
    if name not in known:
        raise UserError(unknown_message("cost", name, known))
    return from_mapping(known[name], settings, where=f"{name}.")


def _needed(config: CostConfig, space: LatentSpace | None) -> LatentSpace:
    if space is None:
        raise UserError(f"cost {config.name} looks into the latents of a learned flow; model=oracle has none")
    return space
