"""Stochastic video generation with a learned (SVG-LP) or a fixed prior (SVG-FP).

After Denton and Fergus, "Stochastic Video Generation with a Learned Prior", ICML 2018: frames are encoded to vectors;
an LSTM foretells the next vector from the newest one and a latent per step; a posterior LSTM, which sees the next
frame, and a prior LSTM, which does not, say what that latent is. Skips show the decoder the background. Departures:
actions are shown to all three LSTMs, groups of channels are normalised instead of batches, only frames after the
context are learned from, and frames may be emitted in other ways than with a fixed scale.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal, cast

from torch import Tensor, nn

from vfplan.checks import within
from vfplan.models.parts.emission import build_emission
from vfplan.models.parts.gaussian import Gaussian, GaussianHead
from vfplan.models.parts.latent_video import LatentVideo, LatentVideoConfig
from vfplan.models.parts.planes import joined
from vfplan.models.parts.pyramid import Decoder, Encoder, PyramidConfig
from vfplan.models.parts.recurrent import GAIN, ConvLstm, Lstm
from vfplan.models.parts.video_state import Seen, VideoState, carried

PREDICTOR, POSTERIOR, PRIOR = 0, 1, 2  # places of their carries


@dataclass(frozen=True)
class SvgConfig(LatentVideoConfig):
    """Architecture of SVG; stored in checkpoints."""

    name: str = "svg_lp"
    prior: Literal["learned", "fixed"] = "learned"
    """learned: an LSTM that sees the past (LP); fixed: N(0, 1) (FP)."""
    skips: Literal["context", "last"] = "context"
    """Of which frame the decoder is shown the encoder's maps: the last known one, or the newest, imagined or not."""
    pyramid: PyramidConfig = field(default_factory=PyramidConfig)
    code: int = within(64, 1, 16384)
    """Elements of the vector that a frame is encoded to."""
    latent: int = within(10, 1, 16384)
    """Elements of the latent of a step."""
    hidden: int = within(128, 1, 16384)
    """Of the LSTMs."""
    layers: int = within(2, 1, 16)
    """Of the LSTM that foretells; prior and posterior have one."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.pyramid.side(self.image_size)


class Svg(LatentVideo):
    """SVG-LP and SVG-FP, with the networks that it is given.

    Args:
        config: what it is made from.
        memory: makes a recurrent network of (inputs, hidden, layers).
        layer: makes a layer of (inputs, outputs).
        latent: the shape of the latent of a step.
        flat: whether codes are vectors.
        more: elements that are told of a step besides its action.
    """

    config: SvgConfig

    def __init__(
        self,
        config: SvgConfig,
        *,
        memory: Callable[[int, int, int], Lstm | ConvLstm],
        layer: Callable[[int, int], nn.Module],
        latent: tuple[int, ...],
        flat: bool,
        more: int = 0,
    ) -> None:
        emission = build_emission(config.emission, config.channels, config.image_size)
        super().__init__(config, [latent], emission)
        side, code, hidden = config.pyramid.side(config.image_size), config.code, config.hidden
        given = code + config.action_dim + more
        self.encoder = Encoder(config.pyramid, config.channels, code, side, flat=flat)
        self.decoder = Decoder(config.pyramid, emission.outputs, code, side, flat=flat)
        self.predictor = memory(given + config.latent, hidden, config.layers)
        self.to_code = layer(hidden, code)
        nn.init.orthogonal_(cast(Tensor, self.to_code.weight), GAIN)
        self.posterior_net = memory(given, hidden, 1)
        self.posterior_head = GaussianHead(partial(layer, hidden), config.latent)
        if config.prior == "learned":
            self.prior_net = memory(given, hidden, 1)
            self.prior_head = GaussianHead(partial(layer, hidden), config.latent)

    def look(self, image: Tensor) -> Seen:
        """Encode an image (B, C, Y, X) in [0, 1]."""
        return Seen(image, *self.encoder(image - 0.5))

    def start(self, seen: Seen) -> VideoState:
        """The memory when nothing but this was seen."""
        networks = [self.predictor, self.posterior_net]
        if self.config.prior == "learned":
            networks.append(self.prior_net)
        return VideoState(seen, tuple(network.start(len(seen.image)) for network in networks), seen.skips)

    def prior(self, state: VideoState, action: Tensor, above: tuple[Tensor, ...]) -> tuple[Gaussian, VideoState]:
        """What is expected of the latent after action (B, A)."""
        if self.config.prior == "fixed":
            return Gaussian.standard(state.newest.code.new_zeros(len(action), *self.latents[0])), state
        y, carry = self.prior_net(joined(state.newest.code, action), state.carries[PRIOR])
        return self.prior_head(y), carried(state, PRIOR, carry)

    def posterior(
        self, state: VideoState, action: Tensor, seen: Seen, above: tuple[Tensor, ...]
    ) -> tuple[Gaussian, VideoState]:
        """The same given the frame that followed."""
        y, carry = self.posterior_net(joined(seen.code, action), state.carries[POSTERIOR])
        return self.posterior_head(y), carried(state, POSTERIOR, carry)

    def advance(self, state: VideoState, action: Tensor, latents: tuple[Tensor, ...]) -> tuple[Tensor, VideoState]:
        """The code of the next frame after action (B, A), and the memory one step on."""
        y, carry = self.predictor(joined(state.newest.code, action, *latents), state.carries[PREDICTOR])
        return self.to_code(y).tanh(), carried(state, PREDICTOR, carry)

    def paint(self, features: Tensor, state: VideoState) -> Tensor:
        """What the emission is made of, (B, outputs, Y, X)."""
        return self.decoder(features, state.shown)

    def notice(self, state: VideoState, seen: Seen) -> VideoState:
        """The memory with a newer frame, known or imagined."""
        return replace(state, newest=seen, shown=seen.skips if self.config.skips == "last" else state.shown)

    def known(self, state: VideoState, seen: Seen) -> VideoState:
        """The memory with a newer frame of the context."""
        return replace(state, newest=seen, shown=seen.skips)


def assemble(config: SvgConfig) -> Svg:
    """A freshly initialised model."""
    return Svg(config, memory=Lstm, layer=nn.Linear, latent=(config.latent,), flat=True)
