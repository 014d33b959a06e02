"""Parallel multiscale autoregressive video: Reed et al., ICML 2017, with actions and a memory of frames.

A small picture, every 2^D-th pixel of the frame, is drawn place by place; then its resolution is doubled D times. Each
doubling fills three groups of places (right of what is known, below it, across from it), and all places of a group are
drawn at once, independently of each other given everything before:

    p(x) = p(x_base) prod_d prod_g=1..3 prod_(i in g) p(x_i | x_<d, earlier groups, past frames, actions)

So a frame takes b^2 + b + 1 + 3 D passes, where b is the side of the small picture. The price is independence within a
group: two pixels of one may choose different futures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_unshuffle

from vfplan.checks import within
from vfplan.models.parts.masked import MaskedTrunk, draw_in_order, scaled
from vfplan.models.parts.pixel_heads import PixelHeads, neighbourhood, picture, pixels
from vfplan.models.parts.pixel_video import Past, PixelVideo, PixelVideoConfig
from vfplan.models.parts.residual import ResidualBlock

GROUPS = ((0, 1), (1, 0), (1, 1))
"""Where the places of each group lie, in rows and columns of the finer picture, from those that are known."""


@dataclass(frozen=True)
class MultiscaleConfig(PixelVideoConfig):
    """Architecture of `Multiscale`; the defaults train on two CPU cores."""

    name: str = "multiscale"
    base: int = within(8, 1, 4096)
    """The image is halved as long as its side is even and larger than this; what is left is drawn place by place."""
    width: int = within(32, 1, 16384)
    """Channels of the networks."""
    blocks: int = within(3, 0, 256)
    """Residual blocks of the network of each group, and of the one that looks at the past for the small picture."""
    masked_width: int = within(16, 1, 8192)
    """Channels in the blocks that see what was drawn before in the small picture; twice as many between them."""
    dilations: tuple[int, ...] = within((1, 2, 4), 1, 4096)
    """Of those blocks, one of each stream for each."""

    @property
    def doublings(self) -> int:
        """D, how often the small picture is doubled."""
        side = self.image_size
        while side > self.base and side % 2 == 0:
            side //= 2
        return (self.image_size // side).bit_length() - 1

    @property
    def side(self) -> int:
        """b, the side of the small picture."""
        return self.image_size >> self.doublings


class PastNet(nn.Module):
    """Features (B, W, y, x) of the past, and of pictures of the present that are as large.

    Past frames are folded to this size: the pixels of a cell become channels, and nothing of them is lost.
    """

    def __init__(self, config: MultiscaleConfig, side: int, known: int) -> None:
        super().__init__()
        self.fold = config.image_size // side
        self.past = nn.Conv2d(config.past_frames * config.channels * self.fold**2, config.width, 1)
        self.known = nn.Conv2d(config.width + known, config.width, 3, padding=1)
        self.places = nn.Parameter(torch.zeros(1, config.width, side, side))
        condition = config.past_frames * max(1, config.action_dim)
        self.blocks = nn.ModuleList(ResidualBlock(config.width, condition) for _ in range(config.blocks))

    def forward(self, past: Past, actions: Tensor, known: Tensor) -> Tensor:
        """Features for `past`, actions (B, P, A) and known pictures (B, known, y, x) in [-1, 1]."""
        h = self.past(pixel_unshuffle(scaled(past.frames.flatten(1, 2), known), self.fold))
        h = self.known(torch.cat([h, known], dim=1)) + self.places
        for block in self.blocks:
            h = block(h, actions.flatten(1))
        return nn.functional.silu(h)


class Multiscale(PixelVideo):
    """Level 0 is the last doubling, level D the small picture."""

    def __init__(self, config: MultiscaleConfig) -> None:
        super().__init__(config)
        self.shape = config
        sides = [config.image_size // 2 ** (level + 1) for level in range(config.doublings)]
        self.nets = nn.ModuleList(
            nn.ModuleList(PastNet(config, side, config.channels * (group + 1)) for group in range(len(GROUPS)))
            for side in sides
        )
        outer = 2 * config.masked_width
        self.base_net = PastNet(config, config.side, 0)
        self.condition = nn.Conv2d(config.width, outer, 1)
        self.trunk = MaskedTrunk(config.channels, config.masked_width, config.dilations)
        sizes = [config.width] * config.doublings + [outer]
        self.heads = nn.ModuleList(
            PixelHeads(size, config.channels, width=config.head_width, sources=config.sources) for size in sizes
        )

    @property
    def num_levels(self) -> int:
        """The doublings, and the small picture."""
        return self.shape.doublings + 1

    @property
    def passes_per_frame(self) -> int:
        """Networks that are run one after the other to draw a frame."""
        return self.shape.side**2 + self.shape.side + 1 + len(GROUPS) * self.shape.doublings

    def level_dims(self, level: int) -> int:
        """The number of values in a level."""
        return self.shape.channels * sum(len(rows) * len(columns) for rows, columns in self.grids(level))

    def level_parameters(self, level: int) -> list[nn.Parameter]:
        """The parameters of a level's networks and of its heads."""
        small = level == self.shape.doublings
        networks = [self.base_net, self.condition, self.trunk] if small else [self.nets[level]]
        return [parameter for part in (*networks, self.heads[level]) for parameter in part.parameters()]

    def level_log_prob(self, level: int, past: Past, frame: Tensor) -> Tensor:
        """Log-probability (B, Y, X) nats of the pixels of a level; 0 at all others."""
        found = self.condition.weight.new_zeros(len(frame), *frame.shape[-2:])
        for group, (rows, columns) in enumerate(self.grids(level)):
            wanted = frame[:, :, rows[:, None], columns]
            features = self.features(level, group, past, frame)
            sources = neighbourhood(past.frames[:, -1], self.shape.copy_radius, rows, columns)
            nats = self._heads(level).log_prob(pixels(features), pixels(wanted), pixels(sources))
            found[:, rows[:, None], columns] = picture(nats, wanted)
        return found

    def draw(self, past: Past, noise: Tensor) -> Tensor:
        """The uint8 frame (B, C, Y, X) that noise (B, C, Y, X) selects: the small picture, then each doubling."""
        frame = torch.zeros(noise.shape, dtype=torch.uint8, device=noise.device)
        for level in range(self.shape.doublings, -1, -1):
            for group, (rows, columns) in enumerate(self.grids(level)):
                drawn = noise[:, :, rows[:, None], columns]
                sources = neighbourhood(past.frames[:, -1], self.shape.copy_radius, rows, columns)
                if level == self.shape.doublings:
                    found = draw_in_order(self.trunk, self._heads(level), self._condition(past), sources, drawn)
                else:
                    features = self.features(level, group, past, frame)
                    values = self._heads(level).draw(pixels(features), pixels(sources), pixels(drawn))
                    found = picture(values, drawn)
                frame[:, :, rows[:, None], columns] = found
        return frame

    def grids(self, level: int) -> list[tuple[Tensor, Tensor]]:
        """The rows and columns of the places in each group of a level; the small picture is one group."""
        size, device = self.shape.image_size, self.condition.weight.device
        if level == self.shape.doublings:
            places = torch.arange(0, size, 2**level, device=device)
            return [(places, places)]
        finer = 2**level
        starts = torch.arange(0, size, 2 * finer, device=device)
        return [(starts + finer * row, starts + finer * column) for row, column in GROUPS]

    def features(self, level: int, group: int, past: Past, frame: Tensor) -> Tensor:
        """What the pixels of a group are drawn from, (B, F, y, x): the past, and what was drawn before of `frame`."""
        known = self._picture(frame, 2 ** min(level + 1, self.shape.doublings), (0, 0))
        if level == self.shape.doublings:
            return self.trunk(known, self._condition(past))
        earlier = [self._picture(frame, 2 ** (level + 1), (y << level, x << level)) for y, x in GROUPS[:group]]
        net = cast(nn.ModuleList, self.nets[level])[group]
        return net(past, self.seen_actions(past), torch.cat([known, *earlier], dim=1))

    def _condition(self, past: Past) -> Tensor:
        """What the small picture is drawn from besides itself."""
        nothing = self.condition.weight.new_zeros(len(past.frames), 0, self.shape.side, self.shape.side)
        return self.condition(self.base_net(past, self.seen_actions(past), nothing))

    def _heads(self, level: int) -> PixelHeads:
        return cast(PixelHeads, self.heads[level])

    def _picture(self, frame: Tensor, step: int, first: tuple[int, int]) -> Tensor:
        """Every `step`-th pixel of a frame in both directions, in [-1, 1]."""
        return scaled(frame[:, :, first[0] :: step, first[1] :: step], self.condition.weight)
