"""Improved variational recurrent network (VRNN), with latents at one resolution or at several.

After Castrejon, Ballas and Courville, "Improved Conditional VRNNs for Video Prediction", ICCV 2019: convolutional LSTMs
at every resolution, whose memory begins with maps of the first frame; latents at some resolutions, coarsest first, each
with a recurrent prior and posterior, which see the coarser samples. Departures: priors see these too (the released one
does not, `dense_prior=false`); memories are carried on while sampling instead of run anew; actions are shown to every
LSTM; frames may be emitted in other ways than with a fixed scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn
from torch.nn import functional

from vfplan.checks import within
from vfplan.models.parts.emission import build_emission
from vfplan.models.parts.gaussian import Gaussian, GaussianHead
from vfplan.models.parts.halving import halved
from vfplan.models.parts.latent_video import LatentVideo, LatentVideoConfig
from vfplan.models.parts.planes import joined
from vfplan.models.parts.recurrent import ConvLstm
from vfplan.models.parts.resnet import ResNetBlock, ResNetEncoder
from vfplan.models.parts.video_state import Seen, VideoState, carried


@dataclass(frozen=True)
class VrnnConfig(LatentVideoConfig):
    """Architecture of a VRNN; stored in checkpoints."""

    name: str = "vrnn"
    widths: tuple[int, ...] = within((8, 16, 32, 64, 64, 64), 1, 16384)
    """Channels of the maps at each scale, finest first; the image is halved as often."""
    latent: tuple[int, ...] = within((16, 0, 64, 0, 0, 10), 0, 16384)
    """Channels of the latent at each scale, finest first; 0 for none."""
    dense_prior: bool = True
    """Whether priors, as posteriors do, see the latents of coarser scales."""

    def __post_init__(self) -> None:
        super().__post_init__()
        halved(self.image_size, len(self.widths), f"for {len(self.widths)} widths", least=1)
        if len(self.latent) != len(self.widths) or not any(self.latent):
            raise ValueError(
                f"latent needs {len(self.widths)} numbers, one for each of widths, of which one is not 0; "
                f"got {self.latent}"
            )


class Memory(nn.Module):
    """A convolutional LSTM whose memory begins with a convolution of maps; it sees those and more.

    Args:
        width: channels of the maps, of the memory, and of the output.
        more: channels of whatever else is seen.
        side: of the maps.
        latent: of a latent that the output foretells; 0 for none.
    """

    def __init__(self, width: int, more: int, side: int, latent: int = 0) -> None:
        super().__init__()
        layer = partial(nn.Conv2d, width, kernel_size=1 if side == 1 else 3, padding=0 if side == 1 else 1)
        self.opening = layer(2 * width)
        self.lstm = ConvLstm(width + more, width, 1, side=side, kernel=1 if side == 1 else 3)
        if latent:
            self.head = GaussianHead(layer, latent)

    def start(self, maps: Tensor) -> Tensor:
        """The carry (B, 1, 2, width, y, x) that maps (B, width, y, x) begin with."""
        return self.opening(maps).tanh().unflatten(1, (1, 2, -1))

    def forward(self, seen: Tensor, carry: Tensor) -> tuple[Tensor, Tensor]:
        """The output (B, width, y, x) and the carry after what is seen (B, width + more, y, x)."""
        found: tuple[Tensor, Tensor] = self.lstm(seen, carry)
        return found

    def foretell(self, seen: Tensor, carry: Tensor) -> tuple[Gaussian, Tensor]:
        """The same for the latent that the output foretells."""
        output, carry = self(seen, carry)
        return self.head(output), carry


class Vrnn(LatentVideo):
    """A VRNN with latents at one resolution or more. Scales and levels of latents are counted from the coarsest."""

    config: VrnnConfig

    def __init__(self, config: VrnnConfig) -> None:
        emission = build_emission(config.emission, config.channels, config.image_size)
        widths, latent, actions = config.widths[::-1], config.latent[::-1], config.action_dim
        sides = [config.image_size >> (len(widths) - scale) for scale in range(len(widths))]
        drawn = [scale for scale, count in enumerate(latent) if count]
        super().__init__(config, [(latent[scale], sides[scale], sides[scale]) for scale in drawn], emission)
        self.drawn = drawn
        """The scale of each level of latents."""
        self.encoder = ResNetEncoder(config.channels, config.widths, config.image_size)
        below = zip(widths, latent, (0, *widths), sides, strict=False)
        self.predictors = nn.ModuleList(Memory(w, actions + count + coarser, s) for w, count, coarser, s in below)
        coarser = [sum(latent[:scale]) for scale in drawn]
        told = coarser if config.dense_prior else [0] * len(drawn)
        self.priors, self.posteriors = (
            nn.ModuleList(
                Memory(widths[scale], actions + count, sides[scale], latent[scale])
                for scale, count in zip(drawn, counts, strict=True)
            )
            for counts in (told, coarser)
        )
        self.rises = nn.ModuleList(ResNetBlock(w, w, 2 * s, "double") for w, s in zip(widths, sides, strict=True))
        self.painter = nn.Conv2d(widths[-1], emission.outputs, 3, padding=1)

    def look(self, image: Tensor) -> Seen:
        """Encode an image (B, C, Y, X) in [0, 1]: to maps, the coarsest of which is the code."""
        maps = self.encoder(image - 0.5)
        return Seen(image, maps[-1], maps)

    def start(self, seen: Seen) -> VideoState:
        """The memory when nothing but this was seen: of predictors, then priors, then posteriors."""
        maps = seen.skips[::-1]
        scales = [*range(len(maps)), *self.drawn, *self.drawn]
        memories = [*self.predictors, *self.priors, *self.posteriors]
        return VideoState(seen, tuple(m.start(maps[scale]) for m, scale in zip(memories, scales, strict=True)))

    def prior(self, state: VideoState, action: Tensor, above: tuple[Tensor, ...]) -> tuple[Gaussian, VideoState]:
        """What is expected of the next level's latent, given those `above` it, after action (B, A)."""
        told, level = above if self.config.dense_prior else (), len(above)
        return self._foretell(self.priors[level], len(self.predictors) + level, state, action, state.newest, told)

    def posterior(
        self, state: VideoState, action: Tensor, seen: Seen, above: tuple[Tensor, ...]
    ) -> tuple[Gaussian, VideoState]:
        """The same given the frame that followed."""
        level, first = len(above), len(self.predictors) + len(self.priors)
        return self._foretell(self.posteriors[level], first + level, state, action, seen, above)

    def advance(self, state: VideoState, action: Tensor, latents: tuple[Tensor, ...]) -> tuple[Tensor, VideoState]:
        """The finest maps (B, width, y, x) of the next frame after action (B, A), and the memory one step on."""
        maps, levels = state.newest.skips[::-1], dict(zip(self.drawn, latents, strict=True))
        coarser: tuple[Tensor, ...] = ()
        for scale, (predictor, rise) in enumerate(zip(self.predictors, self.rises, strict=True)):
            own = (levels[scale],) if scale in levels else ()
            y, carry = predictor(joined(maps[scale], action, *own, *coarser), state.carries[scale])
            state, coarser = carried(state, scale, carry), (rise(y),)
        return coarser[0], state

    def paint(self, features: Tensor, state: VideoState) -> Tensor:
        """What the emission is made of, (B, outputs, Y, X)."""
        painted: Tensor = self.painter(features)
        return painted

    def _foretell(
        self, memory: nn.Module, place: int, state: VideoState, action: Tensor, seen: Seen, told: tuple[Tensor, ...]
    ) -> tuple[Gaussian, VideoState]:
        """What a memory, whose carry is at that place, foretells from what is seen and the coarser latents."""
        assert isinstance(memory, Memory)
        side = state.carries[place].shape[-1]
        maps = next(each for each in seen.skips if each.shape[-1] == side)
        coarser = [functional.interpolate(latent, size=side) for latent in told]
        gaussian, carry = memory.foretell(joined(maps, action, *coarser), state.carries[place])
        return gaussian, carried(state, place, carry)
