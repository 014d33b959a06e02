"""The model of Kumar et al. (VideoFlow, ICLR 2020), with actions added to its priors.

A Glow codec per frame (Kingma and Dhariwal, 2018), half of the channels split off at each level, and dilated gated 3-D
residual priors. `action_dim=0` is the model of the paper.
"""

from __future__ import annotations

from dataclasses import dataclass

from vfplan.checks import within
from vfplan.flows import GlowLevel
from vfplan.flows.gated_net import Activation
from vfplan.flows.glow import CouplingKind
from vfplan.models.parts.halving import halved
from vfplan.models.trainable import Architecture
from vfplan.models.videoflow.dequantisation import UniformDequantiser
from vfplan.models.videoflow.gated_prior import DilatedPrior
from vfplan.models.videoflow.model import VideoFlow


@dataclass(frozen=True)
class VideoFlow2019Config(Architecture):
    """Architecture of the model of 2019; the defaults are the published ones for BAIR likelihoods (`bair_quant`)."""

    name: str = "videoflow_2019"
    num_levels: int = within(3, 1, 12)
    flow_steps: int = within(24, 1, 256)
    """K, steps of [actnorm, 1x1 convolution, coupling] per level."""
    coupling: CouplingKind = "affine"
    coupling_width: int = within(512, 1, 16384)
    activation: Activation = "gatu"
    """Of the coupling networks and of the priors."""
    prior_depth: int = within(5, 1, 256)
    prior_width: int = within(256, 1, 16384)
    dilations: tuple[int, ...] = within((1, 2, 4), 1, 4096)
    """Spatial dilations of the parallel branches of a prior's block; those too wide for a level are left out."""
    latent_skip: bool = True
    """Whether a prior's mean starts at the previous latent."""

    def __post_init__(self) -> None:
        super().__post_init__()
        halved(self.image_size, self.num_levels, f"num_levels={self.num_levels} times", least=1)


def assemble(config: VideoFlow2019Config) -> VideoFlow:
    """The model of 2019, freshly initialised but for its activation normalisations (see `VideoFlow.initialise`)."""
    levels, priors, channels = [], [], config.channels
    for index in range(config.num_levels):
        level = GlowLevel(
            channels,
            steps=config.flow_steps,
            width=config.coupling_width,
            coupling=config.coupling,
            activation=config.activation,
            top=index == config.num_levels - 1,
        )
        side = config.image_size // 2 ** (index + 1)
        prior = DilatedPrior(
            latent_channels=level.latent_channels,
            coarse_channels=level.coarse_channels,
            size=(side, side),
            past_frames=config.past_frames,
            action_dim=config.action_dim,
            depth=config.prior_depth,
            width=config.prior_width,
            dilations=config.dilations,
            activation=config.activation,
            latent_skip=config.latent_skip,
        )
        levels.append(level)
        priors.append(prior)
        channels = level.coarse_channels
    return VideoFlow(config, levels, priors, UniformDequantiser(), area_averages=False)
