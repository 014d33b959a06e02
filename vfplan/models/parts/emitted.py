"""Distributions of frames: exact probabilities of the 256 levels of every value, and the image to go on from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from vfplan.models.parts.shifts import shifts
from vfplan.pixels import frames_from_unit


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
        log_weights: (B, K + O + 1, Y, X) of K = (2 radius + 1)^2 places, row by row, of the same place in O other
            images, and of painting; they sum to one.
        painted: what it is if it is new.
        others: images (B, C, Y, X).
    """

    def __init__(self, last: Tensor, log_weights: Tensor, painted: Independent, *others: Tensor) -> None:
        self.last, self.log_weights, self.painted, self.others = last, log_weights, painted, others
        self.radius = int((log_weights.shape[1] - 1 - len(others)) ** 0.5) // 2

    @property
    def image(self) -> Tensor:
        """The likeliest copy where copying is likelier than painting, so that what stands still does so exactly."""
        *copies, paint = self.log_weights.unbind(1)
        weights = torch.stack(copies, dim=1)
        place = weights.argmax(1)[:, None, None].expand(-1, self.last.shape[1], -1, -1, -1)
        likeliest = self._copies(self.last, *self.others).gather(2, place)[:, :, 0]
        return torch.where((weights.logsumexp(1) > paint)[:, None], likeliest, self.painted.image)

    def log_mass(self, frame: Tensor) -> Tensor:
        """Log-probability (B, Y, X) nats of the pixels of a uint8 frame."""
        levels = [frames_from_unit(image).to(frame) for image in (self.last, *self.others)]
        same = (self._copies(*levels) == frame[:, :, None]).all(1)
        copied = self.log_weights[:, :-1].masked_fill(~same, -torch.inf)
        painted = self.log_weights[:, -1:] + self.painted.log_mass(frame)[:, None]
        return torch.cat([copied, painted], dim=1).logsumexp(1)

    def distance(self, image: Tensor) -> Tensor:
        """The squared error (B,) of the mean of all alternatives, averaged over its elements."""
        weights = self.log_weights.exp()[:, None]
        mean = (self._copies(self.last, *self.others) * weights[:, :, :-1]).sum(2) + self.painted.image * weights[
            :, :, -1
        ]
        return (mean - image).square().flatten(1).mean(1)

    def _copies(self, last: Tensor, *others: Tensor) -> Tensor:
        """What each pixel may be a copy of, (B, C, K + O, Y, X); outside of the image zeros, which have no weight."""
        return torch.cat([shifted(last, self.radius), *(image[:, :, None] for image in others)], dim=2)


def shifted(image: Tensor, radius: int) -> Tensor:
    """Every pixel's neighbourhood (B, C, (2 radius + 1)^2, Y, X) in an image, row by row; zeros outside."""
    return torch.stack(list(shifts(image, radius, "constant")), dim=2)
