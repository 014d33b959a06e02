"""How like two images are: peak signal-to-noise ratio and structural similarity, the two scores of video prediction."""

from __future__ import annotations

import math

import torch
from torch import Tensor

WINDOW, WINDOW_STD = 11, 1.5  # pixels
K1, K2 = 0.01, 0.03
QUANTISATION_PSNR = 10 * math.log10(12 * 255**2)
"""PSNR (58.9 dB) of an image and its 8-bit copy: rounding to steps of 1/255 costs a mean square of 1/255^2/12."""


def psnr(images: Tensor, reference: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB, (...), of images (..., C, Y, X) in [0, 1]; infinite for equal ones.

    `reference` has the same shape, or one that broadcasts over the leading axes.
    """
    return -10.0 * (images - reference).square().mean(dim=(-3, -2, -1)).log10()


def ssim(images: Tensor, reference: Tensor) -> Tensor:
    """Mean structural similarity (...) of images (..., C, Y, X) in [0, 1]: 1 for equal ones, at least -1.

    11x11 Gaussian windows of standard deviation 1.5 that lie wholly inside the image, K1 = 0.01, K2 = 0.03, population
    covariances, and the mean over channels. `reference` may broadcast over the leading axes. Reference: Wang, Bovik,
    Sheikh and Simoncelli, Image Quality Assessment: From Error Visibility to Structural Similarity, 2004, equation 13.

    Raises:
        ValueError: for images smaller than a window.
    """
    rows, columns = images.shape[-2:]
    if min(rows, columns) < WINDOW:
        raise ValueError(f"SSIM needs images of at least {WINDOW} x {WINDOW} pixels; got {rows} x {columns}")
    down, across = _windows(rows, images), _windows(columns, images).T

    def local_mean(values: Tensor) -> Tensor:
        return down @ values @ across

    mean_x, mean_y = local_mean(images), local_mean(reference)
    variance_x = local_mean(images.square()) - mean_x.square()
    variance_y = local_mean(reference.square()) - mean_y.square()
    covariance = local_mean(images * reference) - mean_x * mean_y
    c1, c2 = K1**2, K2**2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x.square() + mean_y.square() + c1)
    structure = (2 * covariance + c2) / (variance_x + variance_y + c2)
    return (luminance * structure).mean(dim=(-3, -2, -1))


def _windows(size: int, like: Tensor) -> Tensor:
    """The matrix (size - 10, size) whose rows are the Gaussian window at every place where it lies inside."""
    offset = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    weights = (-0.5 * (offset / WINDOW_STD).square()).exp()
    weights = (weights / weights.sum()).to(like)
    matrix = like.new_zeros(size - WINDOW + 1, size)
    for row in range(len(matrix)):
        matrix[row, row : row + WINDOW] = weights
    return matrix
