"""Recurrent networks as functions: (what is seen, carry) to (output, carry), the carry a tensor with rows."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vfplan.models.precision import Reducible

GAIN = 2.0
"""Of the weights at the start. The gates pass on about a quarter of a weak signal; where what differs between futures
arrives too weak, latents are given up before they are of use (`tests/models/test_latent_futures.py`)."""


class Lstm(nn.Module):
    """A linear embedding and layers of LSTM.

    Args:
        inputs: elements of what is seen.
        hidden: of every layer, and of the output.
        layers: how many.
    """

    def __init__(self, inputs: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.shape = (layers, 2, hidden)
        self.embed = nn.Linear(inputs, hidden)
        cells = [nn.LSTMCell(hidden, hidden) for _ in range(layers)]
        self.layers = nn.ModuleList(cells)
        for part in (self.embed.weight, *(gate for cell in cells for gate in cell.weight_ih.chunk(4))):
            nn.init.orthogonal_(part, GAIN)

    def start(self, rows: int) -> Tensor:
        """The carry (B, layers, 2, hidden) before anything is seen."""
        return self.embed.weight.new_zeros(rows, *self.shape)

    def forward(self, x: Tensor, carry: Tensor) -> tuple[Tensor, Tensor]:
        """The output (B, hidden) and the carry after x (B, inputs)."""
        y, after = self.embed(x), []
        for layer, held in zip(self.layers, carry.unbind(1), strict=True):
            y, cell = layer(y, (held[:, 0], held[:, 1]))
            after.append(torch.stack([y, cell], dim=1))
        return y, torch.stack(after, dim=1)


class ConvLstm(Reducible):
    """Layers of convolutional LSTM (Shi et al., 2015), the four gates of each normalised by themselves.

    Args:
        inputs: channels of what is seen.
        hidden: channels of every layer, and of the output.
        layers: how many.
        side: of the maps; kernels are `kernel` x `kernel`.
    """

    def __init__(self, inputs: int, hidden: int, layers: int, *, side: int, kernel: int = 3) -> None:
        super().__init__()
        self.shape = (layers, 2, hidden, side, side)
        channels = [inputs + hidden] + [2 * hidden] * (layers - 1)
        self.gates = nn.ModuleList(nn.Conv2d(c, 4 * hidden, kernel, padding=kernel // 2) for c in channels)
        self.norms = nn.ModuleList(nn.GroupNorm(4, 4 * hidden) for _ in channels)

    def start(self, rows: int) -> Tensor:
        """The carry (B, layers, 2, hidden, Y, X) before anything is seen."""
        return next(self.parameters()).new_zeros(rows, *self.shape)

    def forward(self, x: Tensor, carry: Tensor) -> tuple[Tensor, Tensor]:
        """The output (B, hidden, Y, X) and the carry after x (B, inputs, Y, X)."""
        y, after = x, []
        for gates, norm, held in zip(self.gates, self.norms, carry.unbind(1), strict=True):
            with self.autocast(x):
                found = gates(torch.cat([y, held[:, 0]], dim=1))
            take, keep, new, show = norm(found.to(x.dtype)).chunk(4, dim=1)
            # At the start a carry is kept rather than forgotten.
            cell = (keep + 1).sigmoid() * held[:, 1] + take.sigmoid() * new.tanh()
            y = show.sigmoid() * cell.tanh()
            after.append(torch.stack([y, cell], dim=1))
        return y, torch.stack(after, dim=1)
