"""The distribution of a pixel's values given features of its place: exact probabilities, samples from normal noise.

Shapes: N pixel, F feature, C channel, K source. Values are 0 to 255.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, silu

from vfplan.flows.initialisation import start_at_zero

VALUES = 256
AT_ONCE = 1 << 15  # pixels drawn at a time: bounds memory, not results
NEAREST = 2.0**-24  # to 0 and 1 of the share of probability that noise stands for


def choose_value(weights: Tensor, noise: Tensor) -> Tensor:
    """The value (N,) that standard-normal noise (N,) selects by the inverse of the cumulative weights (N, V) >= 0.

    Each value is chosen with its share of the weights. Zero selects the median, and -n the value as far from the other
    end as that of n is from this.
    """
    cumulative = weights.cumsum(1)
    share = torch.special.ndtr(noise).clamp(NEAREST, 1 - NEAREST)
    return (cumulative < share[:, None] * cumulative[:, -1:]).sum(1)


class PixelHeads(nn.Module):
    """A pixel is a copy of one of K sources, or its channels are drawn one after the other, each from all 256 values.

    p(x) = sum_k w_k [x = source k] + w_0 prod_c p(x_c | x_<c), everything given the features. Copies are of whole
    pixels, and exact: a still picture costs next to nothing. Without sources it is the softmax of Kalchbrenner et al.

    Args:
        features: F.
        channels: C.
        width: of the hidden layer of each channel.
        sources: K; may be 0.
    """

    def __init__(self, features: int, channels: int, *, width: int, sources: int) -> None:
        super().__init__()
        self.sources = sources
        self.choice = nn.Linear(features, sources + 1)
        self.hidden = nn.ModuleList(nn.Linear(features, width) for _ in range(channels))
        # One row for each value of each channel before.
        self.before = nn.ModuleList(nn.Embedding(VALUES * channel, width) for channel in range(1, channels))
        self.last = nn.ModuleList(nn.Linear(width, VALUES) for _ in range(channels))
        start_at_zero(self.choice, *self.last)

    def log_prob(self, features: Tensor, values: Tensor, sources: Tensor) -> Tensor:
        """Log-probability (N,) nats of values (N, C) uint8, given features (N, F) and sources (N, K, C) uint8."""
        drawn = torch.stack([self._nats(channel, features, values) for channel in range(values.shape[1])]).sum(0)
        weights = self.choice(features).log_softmax(1)
        unlike = (sources != values[:, None]).any(2)
        copied = weights[:, : self.sources].masked_fill(unlike, -math.inf)
        return torch.cat([copied, weights[:, self.sources :] - drawn[:, None]], dim=1).logsumexp(1)

    def draw(self, features: Tensor, sources: Tensor, noise: Tensor) -> Tensor:
        """The values (N, C) uint8 that standard-normal noise (N, C) selects, channel by channel."""
        parts = zip(features.split(AT_ONCE), sources.split(AT_ONCE), noise.split(AT_ONCE), strict=True)
        return torch.cat([self._draw(*part) for part in parts])

    def _draw(self, features: Tensor, sources: Tensor, noise: Tensor) -> Tensor:
        values = torch.zeros(noise.shape, dtype=torch.uint8, device=noise.device)
        copied, drawn = self.choice(features).softmax(1).split([self.sources, 1], dim=1)
        for c in range(noise.shape[1]):
            probabilities = self._logits(c, features, values).softmax(1)
            offered = sources[:, :, c]
            chosen = choose_value((drawn * probabilities).scatter_add(1, offered.long(), copied), noise[:, c])
            values[:, c] = chosen
            # What each alternative had to do with the value: Bayes' rule.
            copied = copied * (offered == values[:, c, None])
            drawn = drawn * probabilities.gather(1, chosen[:, None])
            total = copied.sum(1, keepdim=True) + drawn
            copied, drawn = copied / total, drawn / total
        return values

    def _nats(self, channel: int, features: Tensor, values: Tensor) -> Tensor:
        """What a channel's value costs (N,), given those before it."""
        return cross_entropy(self._logits(channel, features, values), values[:, channel].long(), reduction="none")

    def _logits(self, channel: int, features: Tensor, values: Tensor) -> Tensor:
        """Of all values (N, 256) of a channel, given the values (N, C) of those before it."""
        h = self.hidden[channel](features)
        if channel:
            places = values[:, :channel].long() + VALUES * torch.arange(channel, device=values.device)
            h = h + self.before[channel - 1](places).sum(1)
        return self.last[channel](silu(h))


def pixels(pictures: Tensor) -> Tensor:
    """Pictures (B, ..., Y, X) as rows of pixels (B Y X, ...)."""
    return pictures.movedim((-2, -1), (1, 2)).flatten(0, 2)


def picture(rows: Tensor, like: Tensor) -> Tensor:
    """Rows of pixels (B Y X, ...) as pictures (B, ..., Y, X) of the size of `like` (B, ..., Y, X)."""
    return rows.unflatten(0, (len(like), *like.shape[-2:])).movedim((1, 2), (-2, -1))


def neighbourhood(frames: Tensor, radius: int, rows: Tensor, columns: Tensor) -> Tensor:
    """The pixels (B, K, C, y, x) within `radius` places of those in `rows` (y,) and `columns` (x,) of (B, C, Y, X).

    K = (2 radius + 1)^2, and none for a radius of 0. Beyond the edge is what is at the edge.
    """
    offsets = range(-radius, radius + 1) if radius else ()
    found = [
        frames[:, :, (rows + dy).clamp(0, frames.shape[-2] - 1)[:, None], (columns + dx).clamp(0, frames.shape[-1] - 1)]
        for dy in offsets
        for dx in offsets
    ]
    if not found:
        return frames.new_zeros(len(frames), 0, frames.shape[1], len(rows), len(columns))
    return torch.stack(found, dim=1)
