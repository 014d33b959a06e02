"""Every trainable model by its name: what describes it, what makes it, and how it grows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from vfplan.costs.base import LatentSpace
from vfplan.models.base import WorldModel
from vfplan.models.literature import svg, svg_prime
from vfplan.models.literature.ddpae import Ddpae, DdpaeConfig
from vfplan.models.literature.ddpae_objective import DdpaeObjective, DdpaeRecipe
from vfplan.models.literature.drnet import Drnet, DrnetConfig
from vfplan.models.literature.drnet_objective import DrnetObjective, DrnetRecipe
from vfplan.models.literature.encodedec import Encodedec, EncodedecConfig
from vfplan.models.literature.encodedec_objective import EncodedecObjective
from vfplan.models.literature.multiscale import Multiscale, MultiscaleConfig
from vfplan.models.literature.p2p import P2PConfig, PointToPoint
from vfplan.models.literature.p2p_objective import P2PObjective, P2PRecipe
from vfplan.models.literature.savp import Savp, SavpConfig, with_judges
from vfplan.models.literature.savp_objective import SavpObjective, SavpRecipe
from vfplan.models.literature.savp_vae import SavpVae, SavpVaeConfig
from vfplan.models.literature.sv2p import Sv2p, Sv2pConfig
from vfplan.models.literature.svg import SvgConfig
from vfplan.models.literature.svg_prime import SvgPrimeConfig
from vfplan.models.literature.vgan import Vgan, VganConfig
from vfplan.models.literature.vgan_objective import VganObjective, VganRecipe
from vfplan.models.literature.vpn import VPN, VPNConfig
from vfplan.models.literature.vrnn import Vrnn, VrnnConfig
from vfplan.models.parts.evidence import Evidence
from vfplan.models.parts.pixel_objective import PixelObjective
from vfplan.models.recipe import LearningConfig, Recipe, StagedRecipe, VariationalRecipe
from vfplan.models.trainable import Architecture, Objective, TrainableModel
from vfplan.models.videoflow import architecture, architecture_2019
from vfplan.models.videoflow.architecture import VideoFlowConfig
from vfplan.models.videoflow.architecture_2019 import VideoFlow2019Config
from vfplan.models.videoflow.growth import grow
from vfplan.models.videoflow.latent_space import FlowLatents
from vfplan.models.videoflow.objective import VideoFlowObjective


@dataclass(frozen=True)
class Family:
    """Models that are made in one way."""

    config: type[Architecture]
    assemble: Callable[[Any], TrainableModel]
    """From a configuration to a freshly initialised model."""
    objective: Callable[[Any, Any], Objective]
    """From a model and a recipe to what it learns from clips; ValueError for a recipe that does not fit."""
    grow: Callable[[Any, Any], TrainableModel | None] = lambda model, wanted: None
    """From a model to a larger one of another configuration that foretells the same; None if it cannot."""
    becomes: type[Architecture] | None = None
    """What describes the models of another family that `grow` makes of these; None if there are no such."""
    latents: Callable[[Any], LatentSpace] | None = None
    """From a model to what costs may ask of its latents; None if it has none."""
    recipe: Recipe | type[Recipe] = field(default_factory=lambda: LearningConfig(batch=(16,), imagined_steps=0))
    """What it is fitted with by default; or its kind, where files in `configs/training/learning/` say the numbers."""
    name: str = ""
    """What all its models are called when one is planned with; empty for the name that each is registered by."""


_DEFAULT = Family(
    VideoFlowConfig,
    architecture.assemble,
    VideoFlowObjective,
    grow,
    latents=FlowLatents,
    recipe=LearningConfig,
    name="videoflow",
)
_OF_2019 = Family(
    VideoFlow2019Config,
    architecture_2019.assemble,
    VideoFlowObjective,
    latents=FlowLatents,
    recipe=LearningConfig,
    name="videoflow",
)
_SVG = Family(SvgConfig, svg.assemble, Evidence, recipe=VariationalRecipe, name="svg")
_SVG_PRIME = Family(SvgPrimeConfig, svg_prime.assemble, Evidence, recipe=VariationalRecipe, name="svg_prime")
_VRNN = Family(VrnnConfig, Vrnn, Evidence, recipe=VariationalRecipe, name="vrnn")
_ENCODEDEC = Family(EncodedecConfig, Encodedec, EncodedecObjective, recipe=VariationalRecipe, name="encodedec")
_P2P = Family(P2PConfig, PointToPoint, P2PObjective, recipe=P2PRecipe, name="p2p")

_CDNA = Family(Sv2pConfig, Sv2p, Evidence, recipe=StagedRecipe, name="cdna")
_SV2P = Family(Sv2pConfig, Sv2p, Evidence, recipe=StagedRecipe, name="sv2p")
_SAVP_VAE = Family(SavpVaeConfig, SavpVae, Evidence, with_judges, SavpConfig, recipe=StagedRecipe, name="savp_vae")
_SAVP = Family(SavpConfig, Savp, SavpObjective, recipe=SavpRecipe, name="savp")

_DRNET = Family(DrnetConfig, Drnet, DrnetObjective, recipe=DrnetRecipe, name="drnet")
_DDPAE = Family(DdpaeConfig, Ddpae, DdpaeObjective, recipe=DdpaeRecipe, name="ddpae")
_VGAN = Family(VganConfig, Vgan, VganObjective, recipe=VganRecipe, name="vgan")
_MULTISCALE = Family(MultiscaleConfig, Multiscale, PixelObjective, recipe=Recipe, name="multiscale")
_VPN = Family(VPNConfig, VPN, PixelObjective, recipe=Recipe, name="vpn")

FAMILIES: dict[str, Family] = {
    "videoflow": _DEFAULT,
    "videoflow_bair": _DEFAULT,
    "videoflow_mixture": _DEFAULT,
    "videoflow_shapes": _DEFAULT,
    "videoflow_2019": _OF_2019,
    "videoflow_2019_bair_qual": _OF_2019,
    "videoflow_2019_shapes": _OF_2019,
    "videoflow_2019_small": _OF_2019,
    "multiscale": _MULTISCALE,
    "multiscale_published": _MULTISCALE,
    "vpn": _VPN,
    "vpn_published": _VPN,
    "svg_lp": _SVG,
    "svg_lp_published": _SVG,
    "svg_fp": _SVG,
    "svg_fp_published": _SVG,
    "svg_prime": _SVG_PRIME,
    "svg_prime_published": _SVG_PRIME,
    "cdna": _CDNA,
    "cdna_published": _CDNA,
    "savp_vae": _SAVP_VAE,
    "savp_vae_published": _SAVP_VAE,
    "savp": _SAVP,
    "savp_published": _SAVP,
    "sv2p": _SV2P,
    "sv2p_published": _SV2P,
    "encodedec": _ENCODEDEC,
    "encodedec_published": _ENCODEDEC,
    "p2p": _P2P,
    "p2p_published": _P2P,
    "vrnn": _VRNN,
    "vrnn_published": _VRNN,
    "vrnn_1l": _VRNN,
    "vrnn_1l_published": _VRNN,
    "drnet": _DRNET,
    "drnet_published": _DRNET,
    "ddpae": _DDPAE,
    "ddpae_published": _DDPAE,
    "vgan": _VGAN,
    "vgan_published": _VGAN,
}


def register(name: str, family: Family) -> None:
    """Let a model of your own be trained, loaded and planned with. Raises ValueError for a name that is taken."""
    if FAMILIES.setdefault(name, family) is not family:
        raise ValueError(f"there is a model called {name!r} already")


def family_name(name: str) -> str:
    """What the family of the model called `name` is called."""
    return FAMILIES[name].name or name


def build_model(config: Architecture) -> TrainableModel:
    """A freshly initialised model; seed torch before for a reproducible one."""
    return FAMILIES[config.name].assemble(config)


def objective_of(model: TrainableModel, recipe: Recipe) -> Objective:
    """What a model learns from clips. Raises ValueError for a recipe that does not fit it."""
    family = FAMILIES[model.config.name]
    kind = family.recipe if isinstance(family.recipe, type) else type(family.recipe)
    if not isinstance(recipe, kind):
        raise ValueError(f"{model.config.name} is another kind of model than learning={recipe.name} is for")
    return family.objective(model, recipe)


def becomes(found: Architecture, wanted: Architecture) -> bool:
    """Whether a model of configuration `found` may go on as one of `wanted`, if sizes allow."""
    other = FAMILIES[found.name].becomes
    return found.name == wanted.name or (other is not None and isinstance(wanted, other))


def grown(model: TrainableModel, wanted: Architecture) -> TrainableModel | None:
    """The model of configuration `wanted` that goes on from what `model` knows; None if it does not grow into it."""
    return FAMILIES[model.config.name].grow(model, wanted)


def latent_space(model: WorldModel) -> LatentSpace | None:
    """What costs may ask of the latents of `model`; None if it has none."""
    if not isinstance(model, TrainableModel):
        return None
    latents = FAMILIES[model.config.name].latents
    return latents and latents(model)
