"""Frames made of moved pixels: kernels gather from around each place, and masks say which source shows where.

CDNA and DNA after Finn, Goodfellow and Levine, "Unsupervised Learning for Physical Interaction through Video
Prediction", NIPS 2016: a kernel of 5x5 places for each of some transformations of the whole image, or one for each
pixel. Kernels are positive and sum to one, and so do masks: what is composed is between the darkest and the brightest
of what it is composed of. Departures: kernels begin near the identity (as in Lee et al., 2018) and are softmaxes, where
the papers divide rectified numbers by their sum: a weight that was cut off at the start learned nothing, so that one
kernel did not find a shift by a pixel. The image goes on beyond its edges with the pixels there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

from vfplan.models.parts.shifts import shifts

RADIUS = 2
PLACES = (2 * RADIUS + 1) ** 2
GAIN = 4.0
"""Of the weights at the start: kernels of different futures should differ, or latents are given up before they are of
use (the squared error of SAVP's reconstructions after 160 steps on 8x8 images: 0.0006, not 0.0028)."""

TINY = 1e-12
"""Added to shares before their logarithm is taken."""


class Mover(nn.Module, ABC):
    """What moves an image in `count` ways."""

    count: int

    @abstractmethod
    def kernels(self, code: Tensor, maps: Tensor) -> Tensor:
        """Kernels (B, K, D, Y, X) of the coarsest (B, c, y, x) and the finest maps (B, w, Y, X); Y and X may be 1."""

    @abstractmethod
    def moved(self, image: Tensor, kernels: Tensor) -> Tensor:
        """The image (B, C, Y, X) moved in K ways, (B, K, C, Y, X)."""


class Cdna(Mover):
    """Kernels that are the same for all places, of the coarsest maps.

    Args:
        code: elements of the coarsest maps.
        count: of kernels.
    """

    def __init__(self, code: int, count: int) -> None:
        super().__init__()
        self.count = count
        self.layer = nn.Linear(code, count * PLACES)
        nn.init.orthogonal_(self.layer.weight, GAIN)

    def kernels(self, code: Tensor, maps: Tensor) -> Tensor:
        """Kernels (B, K, D, 1, 1)."""
        return normalised(self.layer(code.flatten(1)).unflatten(1, (self.count, PLACES, 1, 1)))

    def moved(self, image: Tensor, kernels: Tensor) -> Tensor:
        """The image moved in K ways, (B, K, C, Y, X)."""
        return torch.einsum("bkd,bdcyx->bkcyx", kernels[..., 0, 0], around(image))


class Dna(Mover):
    """A kernel for each place, of the finest maps.

    Args:
        width: channels of the finest maps.
    """

    count = 1

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = nn.Conv2d(width, PLACES, 1)
        nn.init.orthogonal_(self.layer.weight, GAIN)

    def kernels(self, code: Tensor, maps: Tensor) -> Tensor:
        """Kernels (B, 1, D, Y, X)."""
        return normalised(self.layer(maps)[:, None])

    def moved(self, image: Tensor, kernels: Tensor) -> Tensor:
        """The image moved in one way, (B, 1, C, Y, X)."""
        return torch.einsum("bkdyx,bdcyx->bkcyx", kernels, around(image))


def normalised(values: Tensor) -> Tensor:
    """Positive kernels that sum to one over D, of logits (B, K, D, Y, X); at first staying is likeliest by e^3."""
    stay = functional.one_hot(torch.tensor(PLACES // 2, device=values.device), PLACES).to(values) * 3.0
    return (values + stay[:, None, None]).softmax(2)


def around(image: Tensor) -> Tensor:
    """The D pixels (B, D, C, Y, X) around each place of an image, row by row; beyond the edges as at the edges."""
    return torch.stack(list(shifts(image, RADIUS)), dim=1)


def composited(sources: Tensor, log_shares: Tensor) -> Tensor:
    """The image (B, C, Y, X) of sources (B, M, C, Y, X) that have these shares (B, M, Y, X)."""
    return (sources * log_shares.exp()[:, :, None]).sum(1)


def place_logits(kernels: Tensor, log_shares: Tensor) -> Tensor:
    """Log-shares (B, D, Y, X) that the places around each pixel have in it, whichever of the sources they come by.

    Args:
        kernels: (B, K, D, Y, X); Y and X may be 1.
        log_shares: (B, K + 1, Y, X) of the images that they move, and of the image as it is.
    """
    shares = log_shares.exp()
    equation = "bkd,bkyx->bdyx" if kernels.shape[-1] == 1 else "bkdyx,bkyx->bdyx"
    moved = torch.einsum(equation, kernels.flatten(3)[..., 0] if kernels.shape[-1] == 1 else kernels, shares[:, :-1])
    stays = functional.pad(shares[:, -1:], (0, 0, 0, 0, PLACES // 2, PLACES // 2))
    return (moved + stays + TINY).log()
