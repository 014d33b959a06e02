"""One level of the multi-scale Glow codec: an image becomes a coarser image and a latent of half its dimensions."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from vfplan.flows.actnorm import ActNorm
from vfplan.flows.bijection import Bijection, Chain
from vfplan.flows.conv1x1 import Conv1x1
from vfplan.flows.gated_net import Activation
from vfplan.flows.glow_coupling import AdditiveCoupling, SigmoidCoupling
from vfplan.flows.level import Level
from vfplan.flows.squeeze import Squeeze

CouplingKind = Literal["affine", "additive"]


class GlowStep(Chain):
    """One step of flow: activation normalisation, invertible 1x1 convolution, coupling (Kingma and Dhariwal, 2018).

    Raises:
        ValueError: if the coupling or its activation is unknown.
    """

    def __init__(self, channels: int, *, width: int, coupling: CouplingKind, activation: Activation) -> None:
        layer: Bijection
        if coupling == "affine":
            layer = SigmoidCoupling(channels, width=width, activation=activation)
        elif coupling == "additive":
            layer = AdditiveCoupling(channels, width=width, activation=activation)
        else:
            raise ValueError(f"coupling must be affine or additive; got {coupling!r}")
        super().__init__([ActNorm(channels), Conv1x1(channels), layer])


class GlowLevel(Level):
    """Squeeze, then `steps` of flow on all channels, then a split: half of them go up, half are the latent.

    What goes up is a learned image, unlike the area average of `HaarLevel`; so the coarser levels alone say nothing
    about pixels. The top level keeps everything as its latent.

    Args:
        channels: C of the input; 4C after the squeeze.
        steps: K, steps of flow.
        width: hidden channels of the coupling networks.
        coupling: `affine` or `additive`, VideoFlow's settings for likelihoods and for samples (Kumar et al., 2020).
        activation: of the coupling networks.
        top: whether this is the coarsest level.
    """

    def __init__(
        self,
        channels: int,
        *,
        steps: int,
        width: int,
        coupling: CouplingKind,
        activation: Activation,
        top: bool,
    ) -> None:
        super().__init__()
        squeezed = 4 * channels
        self.coarse_channels = 0 if top else squeezed // 2
        self.latent_channels = squeezed - self.coarse_channels
        self.squeeze = Squeeze()
        self.steps = Chain(
            GlowStep(squeezed, width=width, coupling=coupling, activation=activation) for _ in range(steps)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
        """Split x (B, C, Y, X) into latent (B, c, Y/2, X/2) and coarser image (B, u, Y/2, X/2), None at the top.

        Returns:
            Latent, coarser image and the log-determinant (B,).
        """
        y, log_det = self.steps(self.squeeze(x)[0])
        if not self.coarse_channels:
            return y, None, log_det
        return y[:, self.coarse_channels :], y[:, : self.coarse_channels], log_det

    def inverse(self, latent: Tensor, coarse: Tensor | None) -> Tensor:
        """Join latent (B, c, Y/2, X/2) and coarser image (B, u, Y/2, X/2), None at the top, to x (B, C, Y, X).

        Raises:
            ValueError: if a coarser image is missing, or given to the top level.
        """
        if (coarse is None) != (self.coarse_channels == 0):
            raise ValueError(
                f"the level expects a coarser image of {self.coarse_channels} channels; got {_shape(coarse)}"
            )
        y = latent if coarse is None else torch.cat([coarse, latent], dim=1)
        return self.squeeze.inverse(self.steps.inverse(y)[0])[0]

    def coarsen(self, x: Tensor) -> Tensor:
        """The coarser image (B, u, Y/2, X/2) alone, of x (B, C, Y, X); it takes all the work of `forward`.

        Raises:
            ValueError: at the top level.
        """
        _, coarse, _ = self(x)
        if coarse is None:
            raise ValueError("the top level leaves no coarser image")
        return coarse


def _shape(coarse: Tensor | None) -> str:
    return "none" if coarse is None else str(tuple(coarse.shape))
