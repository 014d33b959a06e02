"""A small Video Pixel Network: Kalchbrenner et al., ICML 2017, with actions and a memory of a few frames.

An encoder that keeps the resolution reads each past frame, a convolutional LSTM joins them, and a masked decoder draws
the next frame pixel by pixel and channel by channel: p(x) = prod_i prod_c p(x_ic | x_<i, x_i<c, past frames, actions).
No independence is assumed, and Y X + Y + 1 passes one after the other are what a frame costs.

Departures: no blind spot; the LSTM starts anew at the oldest of the P frames that are remembered; copies as in
`PixelHeads`, unless `copy_radius` is 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vfplan.checks import within
from vfplan.models.parts.masked import MaskedTrunk, MultiplicativeBlock, around, draw_in_order, scaled
from vfplan.models.parts.pixel_heads import PixelHeads, neighbourhood, picture, pixels
from vfplan.models.parts.pixel_video import Past, PixelVideo, PixelVideoConfig


@dataclass(frozen=True)
class VPNConfig(PixelVideoConfig):
    """Architecture of `VPN`; the defaults train on two CPU cores, for images of 32x32 pixels."""

    name: str = "vpn"
    width: int = within(16, 1, 8192)
    """c, channels in the blocks and in the LSTM; twice as many between blocks."""
    encoder_dilations: tuple[int, ...] = within((1, 2), 1, 4096)
    """Of the blocks that read a frame."""
    decoder_dilations: tuple[int, ...] = within((1, 2, 4, 8), 1, 4096)
    """Of the blocks that see what was drawn before, one of each stream for each."""


class ConvLSTM(nn.Module):
    """A long short-term memory with a 3x3 convolution for each gate (Shi et al., 2015)."""

    def __init__(self, inside: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.gates = nn.Conv2d(inside + width, 4 * width, 3, padding=1)

    def forward(self, sequence: Tensor) -> Tensor:
        """The last output (B, W, Y, X) for a sequence (B, T, in, Y, X)."""
        output = memory = sequence.new_zeros(len(sequence), self.width, *sequence.shape[-2:])
        for x in sequence.unbind(1):
            take, keep, give, update = self.gates(torch.cat([x, output], dim=1)).chunk(4, dim=1)
            memory = keep.sigmoid() * memory + take.sigmoid() * update.tanh()
            output = give.sigmoid() * memory.tanh()
        return output


class VPN(PixelVideo):
    """All pixels are one level."""

    num_levels = 1

    def __init__(self, config: VPNConfig) -> None:
        super().__init__(config)
        self.shape = config
        outer, size = 2 * config.width, config.image_size
        self.enter = nn.Conv2d(config.channels, outer, 3, padding=1)
        self.places = nn.Parameter(torch.zeros(1, outer, size, size))
        self.act = nn.Linear(max(1, config.action_dim), outer)
        self.encoder = nn.Sequential(*(MultiplicativeBlock(config.width, around(d)) for d in config.encoder_dilations))
        self.memory = ConvLSTM(outer, config.width)
        self.condition = nn.Conv2d(config.width + outer, outer, 1)
        self.trunk = MaskedTrunk(config.channels, config.width, config.decoder_dilations)
        self.heads = PixelHeads(outer, config.channels, width=config.head_width, sources=config.sources)

    @property
    def passes_per_frame(self) -> int:
        """Networks that are run one after the other to draw a frame."""
        return self.shape.image_size**2 + self.shape.image_size + 1

    def level_dims(self, level: int) -> int:
        """The number of values in a frame."""
        return self.shape.channels * self.shape.image_size**2

    def level_parameters(self, level: int) -> list[nn.Parameter]:
        """All parameters."""
        return list(self.parameters())

    def level_log_prob(self, level: int, past: Past, frame: Tensor) -> Tensor:
        """Log-probability (B, Y, X) nats of all pixels."""
        features = self.trunk(scaled(frame, self.places), self.encoded(past))
        return picture(self.heads.log_prob(pixels(features), pixels(frame), pixels(self._sources(past))), frame)

    def draw(self, past: Past, noise: Tensor) -> Tensor:
        """The uint8 frame (B, C, Y, X) that noise (B, C, Y, X) selects, pixel by pixel."""
        return draw_in_order(self.trunk, self.heads, self.encoded(past), self._sources(past), noise)

    def encoded(self, past: Past) -> Tensor:
        """Features (B, 2c, Y, X) of the past frames, each with the action that followed it."""
        rows, steps = past.frames.shape[:2]
        told = self.act(self.seen_actions(past)).flatten(0, 1)[..., None, None]
        read = self.encoder(self.enter(scaled(past.frames.flatten(0, 1), told)) + self.places + told)
        sequence = read.unflatten(0, (rows, steps))
        return self.condition(torch.cat([self.memory(sequence), sequence[:, -1]], dim=1))

    def _sources(self, past: Past) -> Tensor:
        newest = past.frames[:, -1]
        places = torch.arange(newest.shape[-1], device=newest.device)
        return neighbourhood(newest, self.shape.copy_radius, places, places)
