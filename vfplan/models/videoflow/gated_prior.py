"""The latent prior of the 2019 VideoFlow, a dilated gated 3-D residual network, with actions added."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vfplan.flows.edge_conv import EdgeConv, Zeroed
from vfplan.flows.gated_net import Activation
from vfplan.models.videoflow.dilated_net import DilatedNet, fitting_dilations
from vfplan.models.videoflow.distributions import Gaussian
from vfplan.models.videoflow.latent_prior import LatentPrior

ACTION_WIDTH = 64


class DilatedPrior(LatentPrior):
    """p(z_t | past z, coarser image of time t, actions) of one level: a diagonal Gaussian.

    After Kumar et al., VideoFlow, 2020, in the form of its reference code (tensor2tensor's `conv3d_net`). The coarser
    image enters only through a 3x3 convolution to as many channels as the latent has, repeated over time and stacked
    on the past latents. The last layer is zero at the start, where the prior is N(z_{t-1}, 1), or N(0, 1) without the
    skip.

    Two things are not in the paper: actions modulate the network (FiLM, zero at the start too), and log sigma is
    bounded, smoothly, by `log_std_range`: three units inside, the bound moves it by less than a tenth.

    Args:
        latent_channels: channels c of the latent.
        coarse_channels: channels u of the image that the finer half goes with; 0 at the top.
        size: rows and columns of the latent.
        past_frames: P, remembered frames.
        action_dim: A; 0 gives the action-free model of the paper.
        depth: residual blocks; each sees two time steps further back.
        width: hidden channels of every branch.
        dilations: one branch of every block for each dilation d that fits, 1 + 2 d <= rows and columns; the smallest
            always does.
        activation: of the branches.
        latent_skip: whether the mean starts at the previous latent.
        log_std_range: bounds of log sigma; 0 lies between them.

    Raises:
        ValueError: if there is no dilation, the range does not hold 0 or the activation is unknown.
    """

    def __init__(
        self,
        *,
        latent_channels: int,
        coarse_channels: int,
        size: tuple[int, int],
        past_frames: int,
        action_dim: int,
        depth: int,
        width: int,
        dilations: Sequence[int],
        activation: Activation,
        latent_skip: bool,
        log_std_range: tuple[float, float] = (-9.0, 3.0),
    ) -> None:
        super().__init__()
        if not log_std_range[0] < 0 < log_std_range[1]:
            raise ValueError(f"log_std_range expects 0 inside, where log sigma starts; got {log_std_range}")
        self.latent_shape = (latent_channels, *size)
        self.action_dim = action_dim
        self.latent_skip = latent_skip
        self.log_std_range = log_std_range
        self.from_coarse = (
            Zeroed(EdgeConv(coarse_channels, latent_channels), latent_channels) if coarse_channels else None
        )
        self.embed_actions = (
            nn.Sequential(
                nn.Linear(action_dim, ACTION_WIDTH), nn.SiLU(), nn.Linear(ACTION_WIDTH, ACTION_WIDTH), nn.SiLU()
            )
            if action_dim
            else None
        )
        channels = 2 * latent_channels if coarse_channels else latent_channels
        self.net = DilatedNet(
            channels,
            steps=past_frames,
            depth=depth,
            width=width,
            dilations=fitting_dilations(dilations, size),
            activation=activation,
            condition_dim=ACTION_WIDTH if action_dim else 0,
        )
        self.head = Zeroed(nn.Conv2d(channels, 2 * latent_channels, 1, bias=False), 2 * latent_channels)

    def forward(self, past: Tensor, coarse: Tensor | None, actions: Tensor) -> Gaussian:
        """The prior of z_t.

        Args:
            past: (B, P, c, y, x) latents of this level, newest last.
            coarse: (B, P + 1, u, y, x) coarser images, of which only that of time t is used; None at the top.
            actions: (B, P, A), the last one leading to frame t.

        Raises:
            ValueError: if the coarser images are missing, or given to the top level.
        """
        if (coarse is None) != (self.from_coarse is None):
            raise ValueError(f"the prior {'has no' if coarse is not None else 'expects a'} coarser image")
        x = past
        if self.from_coarse is not None and coarse is not None:
            mean = self.from_coarse(coarse[:, -1:])
            x = torch.cat([past, mean.expand(-1, past.shape[1], -1, -1, -1)], dim=2)
        # Action p was taken at frame p of the memory and leads to the next one.
        condition = None if self.embed_actions is None else self.embed_actions(actions)
        change, raw = self.head(self.net(x, condition)[:, -1]).chunk(2, dim=1)
        return Gaussian(past[:, -1] + change if self.latent_skip else change, soft_clamp(raw, *self.log_std_range))


def soft_clamp(x: Tensor, low: float, high: float) -> Tensor:
    """A smooth, increasing map of the real line into (low, high) that takes 0 to 0 and is nearly the identity between.

    It is low + softplus(x - low) - softplus(x - high), moved to pass through 0, in a form that is exact for large |x|.
    """
    x = x + math.log(math.expm1(low) / math.expm1(-high))
    softplus = nn.functional.softplus
    return x.clamp(low, high) + softplus(-(x - low).abs()) - softplus(-(x - high).abs())
