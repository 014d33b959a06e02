"""Stochastic adversarial video prediction (SAVP): the generator of SAVP-VAE, and two discriminators of videos.

After Lee et al., "Stochastic Adversarial Video Prediction", 2018: one discriminator judges videos whose latents are of
the prior, the other those whose latents are inferred. There is no likelihood. Departures: besides those of
`savp_vae.py`, discriminators are told the actions and the frame before; time is halved with rows and columns, four wide
in these alone; and every place of the last layer has a score, where the paper has one for a video.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

import torch
from torch import Tensor

from vfplan.checks import within
from vfplan.models.base import Context, Noise, State
from vfplan.models.literature.savp_vae import SavpVae, SavpVaeConfig
from vfplan.models.parts.adversary import Discriminator
from vfplan.models.parts.emission import EmissionName
from vfplan.models.parts.halving import halved
from vfplan.models.parts.video_model import VideoModel
from vfplan.models.parts.video_state import VideoNoise, VideoState
from vfplan.models.trainable import Architecture

ITERATIONS = 10  # of power iterations, per step


@dataclass(frozen=True)
class SavpConfig(SavpVaeConfig):
    """Architecture of SAVP with its discriminators; stored in checkpoints."""

    name: str = "savp"
    emission: EmissionName = field(default="laplace", metadata={"setting": False})
    """No setting, for its scale is never asked for."""
    judge: tuple[int, ...] = within((8, 16, 16, 32, 32, 64, 64), 1, 16384)
    """Channels of the layers of each discriminator. Published: four times as many."""
    judge_strides: tuple[int, ...] = within((1, 2, 1, 2, 1, 2, 1), 1, 2)
    """Of each layer: 2 halves sides and time, 1 does not."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.emission not in ("sigma", "laplace"):
            raise ValueError(f"{self.name} needs an emission of one scale, sigma or laplace; got {self.emission}")
        if not self.judge:
            raise ValueError("judge needs a layer or more")
        if len(self.judge_strides) != len(self.judge):
            raise ValueError(f"judge_strides needs {len(self.judge)} numbers, one for each of judge")
        times = self.judge_strides.count(2)
        halved(self.image_size, times, f"{times} times, as judge_strides say")


class Savp(VideoModel):
    """What imagines videos, and the two that it learns from."""

    config: SavpConfig

    def __init__(self, config: SavpConfig) -> None:
        super().__init__(config)
        self.video = SavpVae(config)
        self.prior_judge, self.posterior_judge = _judge(config), _judge(config)

    def encode(self, context: Context) -> VideoState:
        """Go through the context with the posterior's means."""
        return self.video.encode(context)

    def sample_noise(self, rows: int, steps: int, rng: torch.Generator | None, *, downscale: int = 1) -> VideoNoise:
        """Standard normal noise of every latent. Raises ValueError for a scale that does not divide the image."""
        return self.video.sample_noise(rows, steps, rng, downscale=downscale)

    def rollout(self, state: State, actions: Tensor, noise: Noise, *, downscale: int = 1) -> Tensor:
        """Images (B, T, C, y, x) in [0, 1] after actions (B, T, A): area averages of what is imagined at full size."""
        return self.video.rollout(state, actions, noise, downscale=downscale)

    def decode(self, rollout: object, steps: list[int] | None = None) -> Tensor:
        """Images (B, T', C, y, x) of the chosen steps."""
        return self.video.decode(rollout, steps)


def _judge(config: SavpConfig) -> Discriminator:
    seen = config.channels + config.action_dim
    return Discriminator(seen, config.judge, strides=config.judge_strides, video=True, iterations=ITERATIONS)


def with_judges(model: SavpVae, wanted: Architecture) -> Savp | None:
    """A trained `model` and fresh discriminators; None if it is of other sizes than `wanted`."""
    if not isinstance(wanted, SavpConfig):
        return None
    without_judges = SavpVaeConfig(**{part.name: getattr(wanted, part.name) for part in fields(SavpVaeConfig)})
    if replace(model.config, name=wanted.name) != without_judges:
        return None
    larger = Savp(wanted).to(next(model.parameters()))
    larger.video.load_state_dict(model.state_dict())
    return larger
