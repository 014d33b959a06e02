"""The convolutions of Glow's networks: padding that is told from data, and layers that start at zero."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vfplan.flows.actnorm import LOG_SCALE_GAIN


class EdgeConv(nn.Module):
    """3x3 convolution over space, causal over time, whose padding is marked by an indicator channel.

    Time step t sees steps t - 1 and t (a kernel of [2, 3, 3]), or only itself where there is a single step. Data are
    padded by zeros, one step before the first and `dilation` cells around; one more input channel is 1 on that padding
    and 0 on the data (the convolution of the VideoFlow reference code, tensor2tensor, 2019). That channel is the same
    for every row, so its convolution is computed once and added like a bias that depends on place.

    Args:
        in_channels, out_channels: channels of input and output.
        steps: time steps T.
        dilation: cells between neighbouring taps, in space only.
    """

    def __init__(self, in_channels: int, out_channels: int, *, steps: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.dilation = dilation
        seen = min(steps, 2)
        self.weight = nn.Parameter(0.05 * torch.randn(out_channels, seen * in_channels, 3, 3))
        self.edge = nn.Parameter(0.05 * torch.randn(out_channels, seen, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, T, in, Y, X) to (B, T, out, Y, X)."""
        reach = self.dilation
        data = _with_previous(x, 0.0).flatten(0, 1)
        y = nn.functional.conv2d(data, self.weight, padding=reach, dilation=reach)
        marks = nn.functional.pad(torch.zeros_like(x[:1, :, :1]), (reach,) * 4, value=1.0)
        edge = nn.functional.conv2d(_with_previous(marks, 1.0)[0], self.edge, dilation=reach)
        return y.unflatten(0, x.shape[:2]) + edge


class Zeroed(nn.Module):
    """(conv(x) + b) exp(3 l) with conv, b and l zero at the start (Kingma and Dhariwal, Glow, 2018, section 3.3).

    Args:
        conv: a convolution without bias; its parameters are set to zero.
        channels: C, its output channels.
    """

    def __init__(self, conv: nn.Module, channels: int) -> None:
        super().__init__()
        self.conv = conv
        for parameter in conv.parameters():
            nn.init.zeros_(parameter)
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))
        self.log_scale = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map x (..., in, Y, X) to (..., C, Y, X)."""
        return (self.conv(x) + self.bias) * (LOG_SCALE_GAIN * self.log_scale).exp()


def _with_previous(x: Tensor, fill: float) -> Tensor:
    """Stack each time step of x (B, T, C, Y, X) on the one before it, (B, T, 2C, Y, X); nothing to do if T is 1."""
    if x.shape[1] == 1:
        return x
    before = torch.cat([torch.full_like(x[:, :1], fill), x[:, :-1]], dim=1)
    return torch.cat([before, x], dim=2)
