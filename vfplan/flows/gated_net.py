"""The three-layer network in every coupling and every prior branch of the 2019 VideoFlow."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from vfplan.flows.actnorm import ActNorm
from vfplan.flows.edge_conv import EdgeConv, Zeroed

Activation = Literal["gatu", "relu"]


class GatedNet(nn.Module):
    """3x3 convolution, ReLU, 1x1 convolution, gate, 3x3 convolution; activations normalised, output zero at the start.

    The gate is `gatu`, tanh(u) * sigmoid(v) of two normalised 1x1 convolutions u and v (van den Oord et al., 2016), or
    `relu`. With several time steps the 3x3 convolutions are causal and every step is normalised by itself.

    Args:
        in_channels, out_channels: channels of input and output.
        width: W, hidden channels.
        activation: the gate.
        steps: time steps T.
        dilation: of both 3x3 convolutions, in space.

    Raises:
        ValueError: if the activation is unknown.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        width: int,
        activation: Activation,
        steps: int = 1,
        dilation: int = 1,
    ) -> None:
        super().__init__()
        if activation not in ("gatu", "relu"):
            raise ValueError(f"activation must be gatu or relu; got {activation!r}")
        self.gated = activation == "gatu"
        mixed = 2 * width if self.gated else width
        self.first = EdgeConv(in_channels, width, steps=steps, dilation=dilation)
        self.first_norm = ActNorm(steps, width)
        self.mix = nn.Conv2d(width, mixed, 1, bias=False)
        nn.init.normal_(self.mix.weight, std=0.05)
        self.mix_norm = ActNorm(steps, mixed)
        self.last = Zeroed(EdgeConv(width, out_channels, steps=steps, dilation=dilation), out_channels)

    def forward(self, x: Tensor, film: Tensor | None = None) -> Tensor:
        """Map x (B, T, in, Y, X) to (B, T, out, Y, X).

        `film` (B, T, 2W), if given, scales the normalised output h of the first convolution by 1 plus its first half
        and shifts it by its second (Perez et al., 2018); zeros change nothing.
        """
        h, _ = self.first_norm(self.first(x))
        if film is not None:
            scale, shift = film[..., None, None].chunk(2, dim=2)
            h = h + h * scale + shift
        h = self.mix(h.relu().flatten(0, 1)).unflatten(0, x.shape[:2])
        h, _ = self.mix_norm(h)
        if self.gated:
            signal, gate = h.chunk(2, dim=2)
            return self.last(signal.tanh() * gate.sigmoid())
        return self.last(h.relu())
