"""What a decoder's output says of a frame: an exact probability of its 256 levels, and the image to go on from.

The densities are integrated over the bin of each level; what lies below 0 and above 1 belongs to the first and the last
level, so that the 256 probabilities of a value sum to one. Images are in [0, 1].
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from vfplan.models.parts.masses import laplace_mass, logistic_mass, normal_mass
from vfplan.pixels import frames_from_unit

EmissionName = Literal["gaussian", "sigma", "laplace", "copy"]

LOWEST = -6.0
"""Log-scales are larger, softly, for pixels that never change would narrow them for ever (Rybkin et al., 2021)."""

FIRST = -2.3
"""The log-scale at the start: a tenth of the range."""


def soft_floor(log_scale: Tensor) -> Tensor:
    """Log-scales above LOWEST."""
    return LOWEST + functional.softplus(log_scale - LOWEST)


class Emitted(ABC):
    """The distribution of a frame (B, C, Y, X)."""

    @property
    @abstractmethod
    def image(self) -> Tensor:
        """The expected image (B, C, Y, X) in [0, 1], or a likelier one."""

    @abstractmethod
    def log_mass(self, frame: Tensor) -> Tensor:
        """Log-probability (B, Y, X) nats of the pixels of a uint8 frame."""

    def log_prob(self, frame: Tensor) -> Tensor:
        """Log-probability (B,) nats of a uint8 frame."""
        return self.log_mass(frame).flatten(1).sum(1)

    def distance(self, image: Tensor) -> Tensor:
        """The squared error (B,) of the image, averaged over its elements."""
        return (self.image - image).square().flatten(1).mean(1)


class Independent(Emitted):
    """Every value of every channel by itself.

    Args:
        mass: the log-probability of levels under a density of this location and log-scale.
        location, log_scale: (B, C, Y, X); the scale may be one for all.
    """

    def __init__(self, mass: Callable[[Tensor, Tensor, Tensor], Tensor], location: Tensor, log_scale: Tensor) -> None:
        self.mass, self.location, self.log_scale = mass, location, log_scale

    @property
    def image(self) -> Tensor:
        """The location of every value."""
        return self.location.clamp(0, 1)

    def of_scale(self) -> Independent:
        """The same distribution, of which the scale alone has a gradient."""
        return type(self)(self.mass, self.location.detach(), self.log_scale)

    def log_mass(self, frame: Tensor) -> Tensor:
        """Log-probability (B, Y, X) nats of the pixels of a uint8 frame."""
        return self.mass(frame, self.location, self.log_scale).sum(1)


class LaplaceEmitted(Independent):
    """A Laplace distribution for every value: what is learned is a median."""

    def distance(self, image: Tensor) -> Tensor:
        """The absolute error (B,) of the image, averaged over its elements."""
        return (self.image - image).abs().flatten(1).mean(1)


class Copied(Emitted):
    """Every pixel, all its channels together, is copied from near its place in the last image, or painted anew.

    Args:
        last: image (B, C, Y, X).
        log_weights: (B, K + 1, Y, X) of K = (2 radius + 1)^2 places, row by row, and of painting; they sum to one.
        painted: what it is if it is new.
    """

    def __init__(self, last: Tensor, log_weights: Tensor, painted: Independent) -> None:
        self.last, self.log_weights, self.painted = last, log_weights, painted
        self.radius = int((log_weights.shape[1] - 1) ** 0.5) // 2

    @property
    def image(self) -> Tensor:
        """The likeliest copy where copying is likelier than painting, so that what stands still does so exactly."""
        *copies, paint = self.log_weights.unbind(1)
        weights = torch.stack(copies, dim=1)
        place = weights.argmax(1)[:, None, None].expand(-1, self.last.shape[1], -1, -1, -1)
        likeliest = self._around(self.last).gather(2, place)[:, :, 0]
        return torch.where((weights.logsumexp(1) > paint)[:, None], likeliest, self.painted.image)

    def log_mass(self, frame: Tensor) -> Tensor:
        """Log-probability (B, Y, X) nats of the pixels of a uint8 frame."""
        same = (self._around(frames_from_unit(self.last).to(frame)) == frame[:, :, None]).all(1)
        copied = self.log_weights[:, :-1].masked_fill(~same, -torch.inf)
        painted = self.log_weights[:, -1:] + self.painted.log_mass(frame)[:, None]
        return torch.cat([copied, painted], dim=1).logsumexp(1)

    def distance(self, image: Tensor) -> Tensor:
        """The squared error (B,) of the mean of all alternatives, averaged over its elements."""
        weights = self.log_weights.exp()[:, None]
        mean = (self._around(self.last) * weights[:, :, :-1]).sum(2) + self.painted.image * weights[:, :, -1]
        return (mean - image).square().flatten(1).mean(1)

    def _around(self, image: Tensor) -> Tensor:
        """The pixels (B, C, K, Y, X) around each place; outside of the image zeros, which have no weight."""
        return shifted(image, self.radius)


def shifted(image: Tensor, radius: int) -> Tensor:
    """Every pixel's neighbourhood (B, C, (2 radius + 1)^2, Y, X) in an image, row by row; zeros outside."""
    rows, columns = image.shape[-2:]
    padded, reach = functional.pad(image, (radius,) * 4), range(2 * radius + 1)
    return torch.stack([padded[..., y : y + rows, x : x + columns] for y in reach for x in reach], dim=2)


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
    """Copies from 25 places around, or paints with a logistic of its own scale: `copy`."""

    radius = 2

    def __init__(self, channels: int, image_size: int) -> None:
        super().__init__()
        self.places = (2 * self.radius + 1) ** 2
        self.outputs = self.places + 1 + 2 * channels
        reachable = shifted(torch.ones(1, 1, image_size, image_size), self.radius)[:, 0] > 0
        self.register_buffer("unreachable", torch.cat([~reachable, torch.zeros_like(reachable[:, :1])], 1), False)

    def forward(self, output: Tensor, last: Tensor) -> Emitted:
        """The distribution of the frame; to begin with, staying is the likeliest by e^3."""
        logits, painted = output.split([self.places + 1, output.shape[1] - self.places - 1], dim=1)
        stay = functional.one_hot(torch.tensor(self.places // 2), self.places + 1).to(logits) * 3.0
        logits = (logits + stay[:, None, None]).masked_fill(self.get_buffer("unreachable"), -torch.inf)
        location, log_scale = painted.chunk(2, dim=1)
        new = Independent(logistic_mass, 0.5 + location, soft_floor(FIRST + log_scale))
        return Copied(last, logits.log_softmax(1), new)


def build_emission(name: EmissionName, channels: int, image_size: int) -> Emission:
    """The emission called `name`, for images of so many channels and pixels per side."""
    if name == "copy":
        return CopyOrPaint(channels, image_size)
    return ScalePerValue(channels) if name == "gaussian" else OneScale(channels, laplace=name == "laplace")
