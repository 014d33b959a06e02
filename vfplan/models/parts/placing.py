"""Pictures placed in images and cropped from them, and layers over a background.

Spatial transformers of shift and scale (Jaderberg et al., 2015), and alpha compositing.

A pose is (size, x, y): the side of the picture in sides of the image, and where its middle is, each from -1 at the
left or top edge to 1 at the other. Sampling is bilinear; outside of a picture or image there are zeros.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample


def place(pictures: Tensor, poses: Tensor, side: int) -> Tensor:
    """Images (B, C, side, side) in which pictures (B, C, y, x) lie as poses (B, 3) say."""
    size, middle = poses[:, :1], poses[:, 1:]
    return _sampled(pictures, 1 / size, -middle / size, side)


def crop(images: Tensor, poses: Tensor, side: int) -> Tensor:
    """The pictures (B, C, side, side) that lie in images (B, C, Y, X) as poses (B, 3) say: `place` undone."""
    return _sampled(images, poses[:, :1], poses[:, 1:], side)


def composite(background: Tensor, layers: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
    """Images of a background (B, C, Y, X) under layers of colour (B, C, Y, X) and opacity (B, 1, Y, X), last on top."""
    for colour, opacity in layers:
        background = background + opacity * (colour - background)
    return background


def _sampled(x: Tensor, scale: Tensor, shift: Tensor, side: int) -> Tensor:
    """An image of this side that shows, at each place u in [-1, 1], x at scale * u + shift."""
    scaling = torch.eye(2, dtype=x.dtype, device=x.device) * scale[:, :, None]
    theta = torch.cat([scaling, shift[:, :, None]], dim=2)
    grid = affine_grid(theta, [len(x), x.shape[1], side, side], align_corners=False)
    return grid_sample(x, grid, align_corners=False)
