"""Every cost but their sum: what there is, and how one is made from its settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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


class NoLatentsError(UserError):
    """A cost looks into the latents of a model that has none."""


SINGLES: dict[str, type[CostConfig]] = {}
_MADE_BY: dict[type[CostConfig], Callable[..., Cost]] = {}


def add(name: str, config: type[CostConfig], made_by: Callable[..., Cost]) -> None:
    """Add a cost. Raises ValueError if the name is taken, or the settings are those of another cost."""
    if SINGLES.get(name, config) is not config:
        raise ValueError(f"there is a cost {name!r} already")
    if _MADE_BY.get(config, made_by) is not made_by:
        raise ValueError(f"{config.__name__} is what another cost is told; derive one of its own from it")
    SINGLES[name], _MADE_BY[config] = config, made_by


add("chroma", ChromaConfig, Chroma)
add("designated_pixel", DesignatedPixelConfig, DesignatedPixel)
add("displacement", DisplacementConfig, Displacement)
add("goal_image", GoalImageConfig, GoalImage)
add("goal_likelihood", GoalLikelihoodConfig, GoalLikelihood)
add("latent", LatentConfig, Latent)
add("pixel", PixelConfig, Pixel)


def build_single(config: CostConfig, space: LatentSpace | None) -> Cost:
    """The cost that `config` describes. Raises UserError where it looks into a model that does not let it."""
    made_by = _MADE_BY.get(type(config))
    if made_by is None:
        raise ValueError(f"no cost has a {type(config).__name__}; the costs are {', '.join(SINGLES)}")
    if not config.needs_latents:
        return made_by(config)
    if space is None:
        raise NoLatentsError(f"cost {config.name} looks into the latents of a learned flow; this model has none")
    return made_by(config, space)


def config_of(name: str, settings: Mapping[str, Any], known: Mapping[str, type[CostConfig]]) -> CostConfig:
    """The settings of the cost called `name`, defaults where `settings` says nothing. Raises UserError."""
    if name not in known:
        raise UserError(unknown_message("cost", name, known))
    return from_mapping(known[name], settings, where=f"{name}.")
