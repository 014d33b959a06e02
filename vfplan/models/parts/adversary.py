"""Discriminators, what they and those that they judge descend, and whose parameters each loss reaches.

Every weight has a largest singular value of 1 (Miyato et al., "Spectral Normalization for GANs", 2018). A forward pass
changes nothing: the vectors of the power iteration move in `refresh` alone, once per step, or a batch in several parts
would be judged by several discriminators. Whoever is judged learns from `unmoved` discriminators, and these from
detached frames, so that one optimiser can take both losses at the same weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, Self, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

Rule = Literal["lsgan", "bce"]
"""Squared distance of scores from their targets (Mao et al., 2017), or cross-entropy of logits (Goodfellow et al.)."""


@dataclass(frozen=True)
class Judged:
    """What a discriminator makes of its input."""

    scores: Tensor
    """(B, ...), one per place; high for what is real."""
    features: tuple[Tensor, ...]
    """(B, width, ...) of every layer but the last."""


class Discriminator(nn.Module):
    """Convolutions that halve rows and columns, and time where there is time, then a score for each place that is left.

    Args:
        channels: of frames (B, channels, Y, X), or of videos (B, channels, T, Y, X) of any T.
        widths: channels of each layer.
        strides: 2 for each layer that halves, 1 for each that does not; if empty, all of them halve. Sides must be
            divisible by their product.
        video: whether it judges videos.
        iterations: of every power iteration, each time it is moved on. One is usual; where the two largest singular
            values are close, as in wide layers, it leaves norms a tenth from 1 and more.
    """

    def __init__(
        self, channels: int, widths: Sequence[int], *, strides: Sequence[int] = (), video: bool, iterations: int = 1
    ) -> None:
        super().__init__()
        self.iterations = iterations
        made = zip(pairwise((channels, *widths)), strides or [2] * len(widths), strict=True)
        self.layers = nn.ModuleList(spectral_norm(_layer(*pair, stride, video)) for pair, stride in made)
        kind = nn.Conv3d if video else nn.Conv2d
        self.last = spectral_norm(kind(widths[-1], 1, 3, padding=1))
        self.refreshed = -1
        self.eval()

    def train(self, mode: bool = True) -> Self:
        """Always as in evaluation: there torch leaves the vectors of the power iteration as they are."""
        return super().train(False)

    def forward(self, x: Tensor) -> Judged:
        """Scores (B, y, x) or (B, t, y, x), and features."""
        features = []
        for layer in self.layers:
            x = functional.leaky_relu(layer(x), 0.2)
            features.append(x)
        return Judged(self.last(x)[:, 0], tuple(features))

    @torch.no_grad()
    def refresh(self, step: int) -> None:
        """Move every power iteration on, once per step of training, however many parts of that ask for it."""
        if step == self.refreshed:
            return
        self.refreshed = step
        for layer in (*self.layers, self.last):
            normalised = cast(Any, layer)
            normalised.parametrizations.train(True)
            for _ in range(self.iterations):
                _ = normalised.weight
            normalised.parametrizations.train(False)


def unmoved(network: nn.Module, *inputs: Tensor) -> Any:
    """What a network makes of its inputs, with a gradient for these alone, not for its parameters."""
    held = {name: parameter.detach() for name, parameter in network.named_parameters()}
    return functional_call(network, held, inputs)


def towards(rule: Rule, scores: Tensor, target: float) -> Tensor:
    """How far scores are from `target`, averaged: 1 is real, 0 is not, and 1/2 cannot be told."""
    wanted = torch.full_like(scores, target)
    if rule == "lsgan":
        return functional.mse_loss(scores, wanted)
    return functional.binary_cross_entropy_with_logits(scores, wanted)


def told_apart(rule: Rule, real: Tensor, fake: Tensor) -> Tensor:
    """What a discriminator descends, given its scores.

    Its best score of what is real with density p and fake with q is p / (p + q), for `bce` the logit of that. Where p
    is q, the loss is 1/4 (`lsgan`) or ln 2 (`bce`).
    """
    return (towards(rule, real, 1.0) + towards(rule, fake, 0.0)) / 2


def feature_distance(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """1 - cosine between the features of every place, averaged, summed over layers (Lee et al., 2018).

    What is real gets no gradient.
    """
    layers = zip(real, fake, strict=True)
    return torch.stack([1 - functional.cosine_similarity(r.detach(), f, dim=1).mean() for r, f in layers]).sum()


def with_actions(frames: Tensor, actions: Tensor) -> Tensor:
    """Videos (B, C + A, T + 1, Y, X) of frames (B, T + 1, C, Y, X), each with the action (B, T, A) that led to it."""
    led = torch.cat([torch.zeros_like(actions[:, :1]), actions], dim=1)
    planes = led[..., None, None].expand(-1, -1, -1, *frames.shape[3:])
    return torch.cat([frames - 0.5, planes], dim=2).transpose(1, 2)


def _layer(before: int, after: int, stride: int, video: bool) -> nn.Module:
    side = 3 if stride == 1 else 4
    # Three frames wide, time can be halved for ever; four wide, a single frame would be too short.
    if video:
        return nn.Conv3d(before, after, (3, side, side), stride, padding=1)
    return nn.Conv2d(before, after, side, stride, padding=1)
