"""The only place where uint8 frames become real-valued images and back; colour and thumbnails of images."""

from __future__ import annotations

import math

import torch
from torch import Tensor

LOG_LEVELS = math.log(256.0)  # nats per dimension between a density over [0, 1] and a probability over 256 levels


def dequantise(frames: Tensor, noise: Tensor | None = None) -> Tensor:
    """Map uint8 frames to images in [-0.5, 0.5): (frame + noise) / 256 - 0.5.

    Args:
        frames: uint8, any shape.
        noise: in [0, 1), the shape of `frames`; None stands for the middle of the bin, 0.5. Its dtype is the result's.

    Adding uniform noise makes log-density minus log 256 per dimension a lower bound on the discrete log-likelihood
    (Theis et al., 2016). The bins tile the interval exactly, so no density is lost between them.
    """
    if noise is None:
        return (frames.float() + 0.5) / 256.0 - 0.5
    return (frames.to(noise.dtype) + noise) / 256.0 - 0.5


def quantise(images: Tensor) -> Tensor:
    """Map images in [-0.5, 0.5) to uint8 frames, the inverse of `dequantise` for any noise."""
    return ((images + 0.5) * 256.0).floor().clamp(0, 255).to(torch.uint8)


def to_unit(images: Tensor) -> Tensor:
    """Map images in [-0.5, 0.5) to [0, 1], the scale of decoded frames, clamping what lies outside."""
    return (images + 0.5).clamp(0.0, 1.0)


def unit_from_frames(frames: Tensor) -> Tensor:
    """Map uint8 frames to [0, 1] in the scale of decoded frames: the middle of the bin."""
    return dequantise(frames) + 0.5


def frames_from_unit(images: Tensor) -> Tensor:
    """Map decoded images in [0, 1] to uint8 frames."""
    return quantise(images - 0.5)


def chroma(images: Tensor) -> Tensor:
    """Colour minus its grey, (..., C, Y, X): zero for whatever is grey, however bright."""
    return images - images.mean(dim=-3, keepdim=True)


def area_average(images: Tensor, factor: int) -> Tensor:
    """Images (..., Y, X) averaged over factor x factor cells: (..., Y / factor, X / factor)."""
    rows, columns = images.shape[-2] // factor, images.shape[-1] // factor
    return images.reshape(*images.shape[:-2], rows, factor, columns, factor).mean(dim=(-3, -1))
