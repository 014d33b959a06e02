"""What a decoder's output says of a frame: an exact probability of its 256 levels, and the image to go on from.

The densities are integrated over the bin of each level; what lies below 0 and above 1 belongs to the first and the last
level, so that the 256 probabilities of a value sum to one. Images are in [0, 1].
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from vfplan.models.parts.emitted import Copied, Emitted, Independent, LaplaceEmitted, shifted
from vfplan.models.parts.masses import laplace_mass, logistic_mass, normal_mass

EmissionName = Literal["gaussian", "sigma", "laplace", "copy"]

LOWEST = -6.0
"""Log-scales are larger, softly, for pixels that never change would narrow them for ever (Rybkin et al., 2021)."""

FIRST = -2.3
"""The log-scale at the start: a tenth of the range."""


def soft_floor(log_scale: Tensor) -> Tensor:
    """Log-scales above LOWEST."""
    return LOWEST + functional.softplus(log_scale - LOWEST)


class Emission(nn.Module, ABC):
    """Makes a distribution from a decoder's output (B, outputs, Y, X)."""

    outputs: int

    @abstractmethod
    def forward(self, output: Tensor, last: Tensor) -> Emitted:
        """The distribution of the frame after the image `last` (B, C, Y, X)."""


class OneScale(Emission):
    """One learned scale for all values: its best is the error's own (Rybkin et al., 2021). `sigma`, or `laplace`."""

    def __init__(self, channels: int, *, laplace: bool) -> None:
        super().__init__()
        self.outputs, self.laplace = channels, laplace
        self.scale = nn.Parameter(torch.zeros(()))

    def forward(self, output: Tensor, last: Tensor) -> Emitted:
        """The distribution of the frame; the last image does not matter."""
        # Adam moves all weights at one speed; this one has further to go.
        log_scale = soft_floor(FIRST + 10 * self.scale)
        if self.laplace:
            return LaplaceEmitted(laplace_mass, 0.5 + output, log_scale)
        return Independent(normal_mass, 0.5 + output, log_scale)


class ScalePerValue(Emission):
    """A normal distribution whose scale differs from value to value: `gaussian`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.outputs = 2 * channels

    def forward(self, output: Tensor, last: Tensor) -> Emitted:
        """The distribution of the frame; the last image does not matter."""
        location, log_scale = output.chunk(2, dim=1)
        return Independent(normal_mass, 0.5 + location, soft_floor(FIRST + log_scale))


class CopyOrPaint(Emission):
    """Copies from 25 places around, or paints with a logistic of its own scale: `copy`.

    Args:
        channels, image_size: of frames.
        others: images besides the last one from which a pixel may be copied in place; the output brings them along.
    """

    radius = 2

    def __init__(self, channels: int, image_size: int, others: int = 0) -> None:
        super().__init__()
        self.places = (2 * self.radius + 1) ** 2
        self.alternatives = self.places + others + 1
        self.parts = [self.alternatives, 2 * channels, *[channels] * others]
        self.outputs = sum(self.parts)
        reachable = shifted(torch.ones(1, 1, image_size, image_size), self.radius)[:, 0] > 0
        anywhere = torch.zeros_like(reachable[:, :1]).expand(-1, others + 1, -1, -1)
        self.register_buffer("unreachable", torch.cat([~reachable, anywhere], 1), False)

    def forward(self, output: Tensor, last: Tensor) -> Emitted:
        """The distribution of the frame; to begin with, staying is the likeliest by e^3."""
        logits, painted, *others = output.split(self.parts, dim=1)
        stay = functional.one_hot(torch.tensor(self.places // 2), self.alternatives).to(logits) * 3.0
        logits = (logits + stay[:, None, None]).masked_fill(self.get_buffer("unreachable"), -torch.inf)
        location, log_scale = painted.chunk(2, dim=1)
        new = Independent(logistic_mass, 0.5 + location, soft_floor(FIRST + log_scale))
        return Copied(last, logits.log_softmax(1), new, *others)


def build_emission(name: EmissionName, channels: int, image_size: int, others: int = 0) -> Emission:
    """The emission called `name`, for images of so many channels and pixels per side; `copy` also from `others`."""
    if name == "copy":
        return CopyOrPaint(channels, image_size, others)
    return ScalePerValue(channels) if name == "gaussian" else OneScale(channels, laplace=name == "laplace")
