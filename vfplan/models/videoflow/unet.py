"""The convolutional network inside every prior: a small U-Net modulated by actions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vfplan.flows.initialisation import start_at_zero
from vfplan.models.parts.residual import ResidualBlock
from vfplan.models.precision import Reducible


class UNet(Reducible):
    """U-Net with a learned position embedding and FiLM conditioning at every block (Perez et al., 2018).

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output; zero at the start of training.
        size: rows and columns of the input; each halving must leave a whole number.
        widths: channels at each scale, finest first.
        blocks: residual blocks at each scale; at every scale but the coarsest they are used once going down and
            once (other weights) coming up.
        condition_dim: width D of the conditioning vector.

    `compute_dtype` may be set to bfloat16 for training and rollouts; the output always has the dtype of the input.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        size: tuple[int, int],
        widths: Sequence[int],
        blocks: Sequence[int],
        condition_dim: int,
    ) -> None:
        super().__init__()
        factor = 2 ** (len(widths) - 1)
        if size[0] % factor or size[1] % factor:
            raise ValueError(f"{len(widths)} scales expect sides divisible by {factor}; got {size[0]}x{size[1]}")
        self.stem = nn.Conv2d(in_channels, widths[0], 3, padding=1)
        self.position = nn.Parameter(0.02 * torch.randn(1, widths[0], *size))
        self.encoder = nn.ModuleList()
        self.decoder = nn.ModuleList()
        self.down = nn.ModuleList()
        self.up = nn.ModuleList()
        for scale, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            self.encoder.append(Blocks(width, count, condition_dim))
            if scale + 1 < len(widths):
                self.decoder.append(Blocks(width, count, condition_dim))
                self.down.append(nn.Conv2d(width, widths[scale + 1], 2, stride=2))
                self.up.append(nn.ConvTranspose2d(widths[scale + 1], width, 2, stride=2))
        self.head = nn.Conv2d(widths[0], out_channels, 3, padding=1)
        start_at_zero(self.head)

    @property
    def bias(self) -> Tensor:
        """Of the outputs."""
        assert self.head.bias is not None
        return self.head.bias

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Map x (B, in, Y, X) and condition (B, D) to (B, out, Y, X)."""
        return self.outputs(self.features(x, condition))

    def features(self, x: Tensor, condition: Tensor) -> Tensor:
        """What the outputs for x (B, in, Y, X) and condition (B, D) are read from, (B, W, Y, X)."""
        with self.autocast(x):
            return self._features(x.contiguous(memory_format=torch.channels_last), condition)

    def outputs(self, features: Tensor, channels: slice = slice(None)) -> Tensor:
        """The outputs (B, K, Y, X) of the chosen channels (default: all) at the features (B, W, Y, X)."""
        head = self.head
        with self.autocast(features):
            maps = nn.functional.conv2d(features, head.weight[channels], self.bias[channels], padding=1)
        return maps.to(head.weight.dtype)

    def outputs_by_row(self, features: Tensor, channels: Tensor) -> Tensor:
        """The outputs (B, K, Y, X) of other channels (B, K) in every row, at the features (B, W, Y, X).

        One convolution with a group for each row: no row waits for what the channels of the others are.
        """
        head = self.head
        rows = len(features)
        with self.autocast(features):
            maps = nn.functional.conv2d(
                features.contiguous().view(1, -1, *features.shape[2:]),
                head.weight[channels].flatten(0, 1),
                self.bias[channels].flatten(),
                padding=1,
                groups=rows,
            )
        return maps.view(rows, -1, *maps.shape[2:]).to(head.weight.dtype)

    def _features(self, x: Tensor, condition: Tensor) -> Tensor:
        h = self.stem(x)
        h = h + self.position.to(h.dtype)  # a float32 embedding would promote the whole residual stream
        skips = []
        for scale, blocks in enumerate(self.encoder):
            h = blocks(h, condition)
            if scale < len(self.down):
                skips.append(h)
                h = self.down[scale](h)
        for scale in reversed(range(len(self.down))):
            h = skips[scale] + self.up[scale](h)
            h = self.decoder[scale](h, condition)
        return nn.functional.silu(h)


class Blocks(nn.ModuleList):
    """Residual blocks of one scale, one after the other."""

    def __init__(self, width: int, count: int, condition_dim: int) -> None:
        super().__init__(ResidualBlock(width, condition_dim) for _ in range(count))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Map x (B, W, Y, X) and condition (B, D) to (B, W, Y, X)."""
        for block in self:
            x = block(x, condition)
        return x
