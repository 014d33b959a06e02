"""Gaussian blurs of images, all widths at once."""

from __future__ import annotations

import torch
from torch import Tensor


def pyramid(images: Tensor, blurs: tuple[float, ...]) -> Tensor:
    """Images (..., C, Y, X) under every blur, (S, ..., C, Y, X); `blurs` are standard deviations in image widths."""
    rows, columns = images.shape[-2:]
    levels = []
    for blur in blurs:
        if blur == 0:
            levels.append(images)
        else:
            levels.append(_gaussian(rows, blur, images) @ images @ _gaussian(columns, blur, images).T)
    return torch.stack(levels)


def _gaussian(size: int, blur: float, like: Tensor) -> Tensor:
    """Matrix (size, size) that blurs with std `blur` * size; rows sum to 1, so that nothing is lost at the border."""
    position = torch.arange(size, device=like.device, dtype=like.dtype)
    weights = (-0.5 * ((position[:, None] - position) / (blur * size)).square()).exp()
    return weights / weights.sum(dim=1, keepdim=True)
