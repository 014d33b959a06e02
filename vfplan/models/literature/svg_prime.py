"""SVG': stochastic video generation with maps in place of vectors.

After Villegas et al., "High Fidelity Video Prediction with Large Stochastic Recurrent Neural Networks", NeurIPS 2019:
as SVG-LP (`svg.py`), but a shallow encoder leaves maps, the LSTMs are convolutional, and the latent of a step is a map,
too. The departures are those of SVG-LP; actions are planes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from torch import nn

from vfplan.checks import within
from vfplan.models.literature.svg import Svg, SvgConfig
from vfplan.models.parts.pyramid import PyramidConfig
from vfplan.models.parts.recurrent import ConvLstm


@dataclass(frozen=True)
class SvgPrimeConfig(SvgConfig):
    """Architecture of SVG'; stored in checkpoints. Codes, latents and LSTMs are maps of so many channels."""

    name: str = "svg_prime"
    pyramid: PyramidConfig = field(default_factory=lambda: PyramidConfig("pooled", (12, 24, 32)))
    code: int = within(32, 1, 16384)
    latent: int = within(4, 1, 16384)
    hidden: int = within(48, 1, 16384)


def assemble(config: SvgPrimeConfig) -> Svg:
    """A freshly initialised model."""
    side = config.pyramid.side(config.image_size)
    layer = partial(nn.Conv2d, kernel_size=3, padding=1)
    return Svg(config, memory=partial(ConvLstm, side=side), layer=layer, latent=(config.latent, side, side), flat=False)
