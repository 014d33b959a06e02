"""Components of a scene: what each looks like, by a content that is drawn once, and where each is, by a pose.

A pose is the logarithm of a size, in units of the usual one, and the place of the middle (see `placing.py`).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vfplan.models.parts.gaussian import Gaussian, GaussianHead
from vfplan.models.parts.painter import Painter
from vfplan.models.parts.placing import composite, crop, place
from vfplan.models.parts.pyramid import Encoder, PyramidConfig

LARGER = 0.5
"""Most of the logarithm of a size, either way: unbounded, a component becomes the background."""


class Sprites(nn.Module):
    """The networks that look at components and paint them.

    Args:
        config: the scales of pictures; the painter has no skips.
        channels: of images; pictures have one more, their opacity.
        content: elements of a content.
        hidden: of what looks at components.
        side: of a picture, pixels.
        size: the usual one, in sides of the image.
    """

    def __init__(
        self, config: PyramidConfig, channels: int, content: int, hidden: int, *, side: int, size: float
    ) -> None:
        super().__init__()
        self.channels, self.side, self.size = channels, side, size
        middle = config.side(side)
        self.looker = Encoder(config, channels, hidden, middle, flat=True)
        self.content_head = GaussianHead(lambda outputs: nn.Linear(hidden, outputs), content)
        self.painter = Painter(content, config.widths, channels + 1, middle)

    def contents(self, images: Tensor, poses: Tensor) -> Gaussian:
        """What the components (B, N, content) look like, on the average of all known frames."""
        rows, past, components = poses.shape[:3]
        repeated = images[:, :, None].expand(-1, -1, components, -1, -1, -1).flatten(0, 2)
        crops = crop(repeated, self.boxes(poses).flatten(0, 2), self.side)
        seen = self.looker(crops - 0.5)[0].unflatten(0, (rows, past, components)).mean(1)
        found = self.content_head(seen.flatten(0, 1))
        return found.map(lambda tensor: tensor.unflatten(0, (rows, components)))

    def pictures(self, content: Tensor) -> Tensor:
        """Colours in [0, 1] and opacity (B, N, C + 1, y, x) of contents (B, N, content)."""
        return self.painter(content.flatten(0, 1)).sigmoid().unflatten(0, content.shape[:2])

    def boxes(self, poses: Tensor) -> Tensor:
        """Size, x and y (..., 3) of poses (..., 3), as `place` takes them."""
        size = self.size * (LARGER * poses[..., :1].tanh()).exp()
        return torch.cat([size, poses[..., 1:]], dim=-1)

    def layers(self, pictures: Tensor, poses: Tensor, side: int) -> list[tuple[Tensor, Tensor]]:
        """Colours (B, C, side, side) and opacity (B, 1, side, side) of each component, at poses (B, N, 3)."""
        boxes, layers = self.boxes(poses), []
        for picture, box in zip(pictures.unbind(1), boxes.unbind(1), strict=True):
            colour, opacity = picture.split([self.channels, 1], dim=1)
            # Premultiplied, or colours would fade at the edge of a picture.
            placed, covered = place(torch.cat([colour * opacity, opacity], dim=1), box, side).split(
                [self.channels, 1], 1
            )
            layers.append((placed / covered.clamp_min(1e-4), covered))
        return layers

    def over(self, background: Tensor, pictures: Tensor, poses: Tensor) -> Tensor:
        """Images (B, C, Y, X) of about [0, 1]."""
        return composite(background, self.layers(pictures, poses, background.shape[-1]))
