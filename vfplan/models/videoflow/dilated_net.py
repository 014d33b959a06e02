"""The network of the 2019 VideoFlow's prior: residual blocks of dilated branches, causal in time."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from vfplan.flows.gated_net import Activation, GatedNet
from vfplan.models.precision import Reducible


class DilatedBlock(nn.Module):
    """x + the sum over dilations of one `GatedNet` each; the branches start at zero, and so does their modulation.

    Args:
        channels: C of input and output.
        steps: time steps T.
        width: W, hidden channels of every branch.
        dilations: one branch each.
        activation: of the branches.
        condition_dim: D of the conditioning vectors; 0 for none.
    """

    def __init__(
        self,
        channels: int,
        *,
        steps: int,
        width: int,
        dilations: Sequence[int],
        activation: Activation,
        condition_dim: int,
    ) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            [
                GatedNet(channels, channels, width=width, activation=activation, steps=steps, dilation=dilation)
                for dilation in dilations
            ]
        )
        self.film = nn.Linear(condition_dim, len(dilations) * 2 * width) if condition_dim else None
        if self.film is not None:
            nn.init.zeros_(self.film.weight)
            nn.init.zeros_(self.film.bias)

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """Map x (B, T, C, Y, X) and condition (B, T, D), ignored if D is 0, to (B, T, C, Y, X)."""
        films: Sequence[Tensor | None] = [None] * len(self.branches)
        if self.film is not None and condition is not None:
            films = self.film(condition).chunk(len(self.branches), dim=-1)
        return x + sum(branch(x, film) for branch, film in zip(self.branches, films, strict=True))


class DilatedNet(Reducible):
    """`depth` blocks in a row; each sees two time steps further back.

    `compute_dtype` may be set to bfloat16 for training and rollouts: that of the convolutions; normalisations and the
    residual stream keep the dtype of the input.

    Args:
        channels: C of input and output.
        depth: blocks.
        steps, width, dilations, activation, condition_dim: as in `DilatedBlock`.
    """

    def __init__(
        self,
        channels: int,
        *,
        depth: int,
        steps: int,
        width: int,
        dilations: Sequence[int],
        activation: Activation,
        condition_dim: int,
    ) -> None:
        super().__init__()
        self.dilations = tuple(dilations)
        self.blocks = nn.ModuleList(
            [
                DilatedBlock(
                    channels,
                    steps=steps,
                    width=width,
                    dilations=dilations,
                    activation=activation,
                    condition_dim=condition_dim,
                )
                for _ in range(depth)
            ]
        )

    def forward(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """Map x (B, T, C, Y, X) and condition (B, T, D), None if D is 0, to (B, T, C, Y, X)."""
        with self.autocast(x):
            h = x
            for block in self.blocks:
                h = block(h, condition)
            return h


def fitting_dilations(dilations: Sequence[int], size: tuple[int, int]) -> tuple[int, ...]:
    """The dilations d whose 3x3 kernel fits a map of `size`, 1 + 2 d <= rows and columns, and the smallest in any case.

    Raises:
        ValueError: if `dilations` is empty.
    """
    if not dilations:
        raise ValueError("dilations expects at least one")
    return tuple(d for d in dilations if 1 + 2 * d <= min(size) or d == min(dilations))
