"""The distribution of one level's latent, given the coarser image, the past and the actions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vfplan.models.unet import UNet

# Orthonormal latents of frames in [-0.5, 0.5) carry at least the dequantisation noise, std 1 / (256 sqrt 12) = e^-6.79;
# a narrower prior could only win on data with no noise at all, a wider one than e^1 exceeds the range of the data.
LOG_STD_RANGE = (-7.5, 1.0)


@dataclass(frozen=True)
class Gaussian:
    """A diagonal Gaussian over latents (B, c, y, x)."""

    mean: Tensor
    log_std: Tensor

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density of value (B, c, y, x), nats per element, same shape."""
        standard = (value - self.mean) * (-self.log_std).exp()
        return -0.5 * standard.square() - self.log_std - 0.5 * math.log(2 * math.pi)

    def transform(self, noise: Tensor) -> Tensor:
        """The sample that standard-normal noise (B, c, y, x) selects; zeros give the mean."""
        return self.mean + self.log_std.exp() * noise


class LevelPrior(nn.Module):
    """p(z_t | past z, coarse images up to time t, actions) of one level: a diagonal Gaussian.

    The mean is the previous latent plus a learned change (the latent skip of VideoFlow), the log standard deviation
    is bounded on both sides by `LOG_STD_RANGE`, and all actions of the memory window act through FiLM.

    Args:
        latent_channels: channels c of the latent.
        coarse_channels: channels of the coarser image this level refines; 0 at the top.
        size: rows and columns of the latent.
        past_frames: length P of the memory.
        action_dim: A; 0 gives the action-free model.
        widths, blocks: the U-Net, finest scale first.
        condition_dim: width of the action embedding.
    """

    def __init__(
        self,
        *,
        latent_channels: int,
        coarse_channels: int,
        size: tuple[int, int],
        past_frames: int,
        action_dim: int,
        widths: Sequence[int],
        blocks: Sequence[int],
        condition_dim: int,
    ) -> None:
        super().__init__()
        self.latent_channels = latent_channels
        self.action_dim = action_dim
        self.embed_actions = nn.Sequential(
            nn.Linear(max(1, past_frames * action_dim), condition_dim),
            nn.SiLU(),
            nn.Linear(condition_dim, condition_dim),
            nn.SiLU(),
        )
        self.net = UNet(
            in_channels=past_frames * latent_channels + (past_frames + 1) * coarse_channels,
            out_channels=2 * latent_channels,
            size=size,
            widths=widths,
            blocks=blocks,
            condition_dim=condition_dim,
        )
        # sigma starts near 0.1: between the noise floor of still pixels and the contrast of a moving object.
        self.raw_log_std = nn.Parameter(torch.zeros(latent_channels, 1, 1))

    def forward(self, past: Tensor, coarse: Tensor | None, actions: Tensor) -> Gaussian:
        """The prior of z_t.

        Args:
            past: (B, P, c, y, x) latents of this level, newest last.
            coarse: (B, P + 1, C, y, x) coarser images up to and including time t; None at the top.
            actions: (B, P, A), the last one leading to frame t.
        """
        inputs = [past.flatten(1, 2)] if coarse is None else [past.flatten(1, 2), coarse.flatten(1, 2)]
        flat = actions.flatten(1) if self.action_dim else past.new_zeros(past.shape[0], 1)
        change, raw = self.net(torch.cat(inputs, dim=1), self.embed_actions(flat)).chunk(2, dim=1)
        low, high = LOG_STD_RANGE
        log_std = low + (high - low) * torch.sigmoid(raw + self.raw_log_std + 0.6)
        return Gaussian(past[:, -1] + change, log_std)
