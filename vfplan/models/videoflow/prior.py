"""The distribution of one level's latent, given the coarser image, the past and the actions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from vfplan.models.parts.shifts import shifts
from vfplan.models.videoflow.dequantisation import START_STD
from vfplan.models.videoflow.distributions import (
    CopyOrChange,
    Faithful,
    Gaussian,
    LatentDistribution,
    LatentNoise,
    Mixture,
    choose_component,
)
from vfplan.models.videoflow.head import HeadLayout
from vfplan.models.videoflow.latent_prior import LatentPrior
from vfplan.models.videoflow.unet import UNet

# Orthonormal latents of frames in [-0.5, 0.5) carry at least the dequantisation noise, std 1 / (256 sqrt 12) = e^-6.79
# if it is uniform, less if it is learned; a prior wider than e^1 exceeds the range of the data.
LOG_STD_RANGE = (-7.5, 1.0)
# A copy that never errs is limited by the dequantisation alone, and the narrower that learns to be, the better a copy
# can be told from a change: the lower bound is only there for the precision of float32.
COPY_LOG_STD_RANGE = (-10.0, 1.0)

FAVOURED_PLACE_LOGIT = 2.0
"""By how much a component of a mixture prefers its own place to copy from at first, in log-odds to each other place."""

STANDING_LOGIT = 9.0
"""By how much values stand still at first rather than move in from each other place of the memory, in log-odds."""

Elements = Literal["gaussian", "faithful", "copy"]


class LevelPrior(LatentPrior):
    """p(z_t | past z, coarse images up to time t, actions) of one level.

    A U-Net sees the memory; all actions of the memory window act through FiLM. The mean is the previous latent (the
    latent skip of VideoFlow), or what moves there from around, plus a learned change; the log standard deviation is
    bounded on both sides.

    Args:
        latent_channels: channels c of the latent.
        coarse_channels: channels of the coarser image this level refines; 0 at the top.
        size: rows and columns of the latent.
        past_frames: length P of the memory; of a longer one the newest frames are seen.
        action_dim: A; 0 gives the action-free model.
        widths, blocks: the U-Net, finest scale first.
        condition_dim: width of the action embedding.
        elements: `gaussian`; `faithful`, whose mean learns from squared errors alone; or `copy`, a mixture per element
            of staying and changing.
        components: M; more than one gives a mixture over the whole latent.
        copy_radius: how many places away `copy` may take a value from.
        advection_radius: how many places away values of the memory may move from in the mean; 0 for no such motion.
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
        elements: Elements = "gaussian",
        components: int = 1,
        copy_radius: int = 0,
        advection_radius: int = 0,
    ) -> None:
        super().__init__()
        self.latent_shape = (latent_channels, *size)
        self.past_frames = past_frames
        self.action_dim = action_dim
        self.has_choices = elements == "copy"
        self.change = Faithful if elements == "faithful" else Gaussian
        self.components = components
        self.copy_radius, self.advection_radius = copy_radius, advection_radius
        self.head = HeadLayout(
            latent_channels,
            sources=past_frames * count_places(advection_radius) if advection_radius else 0,
            copies=self.has_choices,
            places=count_places(copy_radius) if copy_radius else 0,
            components=components,
        )
        self.embed_actions = nn.Sequential(
            nn.Linear(max(1, past_frames * action_dim), condition_dim),
            nn.SiLU(),
            nn.Linear(condition_dim, condition_dim),
            nn.SiLU(),
        )
        self.net = UNet(
            in_channels=past_frames * latent_channels + (past_frames + 1) * coarse_channels,
            out_channels=self.head.channels,
            size=size,
            widths=widths,
            blocks=blocks,
            condition_dim=condition_dim,
        )
        # sigma starts near 0.1: between the noise floor of still pixels and the contrast of a moving object.
        self.raw_log_std = nn.Parameter(torch.zeros(latent_channels, 1, 1))
        if self.has_choices:
            # A copy starts as narrow as values are placed; latents are orthonormal, so their spread is the same.
            start = unbounded_log_std(math.log(START_STD / 256), COPY_LOG_STD_RANGE)
            self.raw_copy_log_std = nn.Parameter(torch.full((latent_channels, 1, 1), start))
        if components > 1:
            # Equal components would stay equal for ever.
            nn.init.normal_(self.net.bias, std=0.05)
            if copy_radius:
                self._start_components_apart()
        if advection_radius:
            self._start_standing()

    def forward(self, past: Tensor, coarse: Tensor | None, actions: Tensor) -> LatentDistribution:
        """The prior of z_t.

        Args:
            past: (B, P, c, y, x) latents of this level, newest last, or more of them.
            coarse: (B, P + 1, C, y, x) coarser images up to and including time t, or more; None at the top.
            actions: (B, P, A), the last one leading to frame t, or more.
        """
        past, features = self._features(past, coarse, actions)
        moved = self._advected(past, features)
        if self.change is Faithful:
            return self._elements(past[:, -1], moved, self._faithful_maps(features))
        maps = self.net.outputs(features, self.head.distribution)
        if self.components == 1:
            return self._elements(past[:, -1], moved, maps)
        maps, weights = maps.tensor_split([-self.components], dim=1)
        maps = maps.unflatten(1, (self.components, -1))
        return Mixture(_log_weights(weights), self._elements(past[:, -1:], moved[:, None], maps))

    def sample(self, past: Tensor, coarse: Tensor | None, actions: Tensor, noise: LatentNoise) -> Tensor:
        """The latent (B, c, y, x) that standard-normal noise selects from the prior of z_t.

        Of a mixture only the chosen component is computed: with eight of them, a fifth of the time of a step is saved.
        """
        if self.components == 1:
            return self(past, coarse, actions).transform(noise)
        past, features = self._features(past, coarse, actions)
        weights = self.net.outputs(features, self.head.weights)
        chosen = choose_component(_log_weights(weights), noise.component)
        moved = self._advected(past, features)
        maps = self.net.outputs_by_row(features, self.head.component(chosen))
        return self._elements(past[:, -1], moved, maps).transform(noise)

    def _features(self, past: Tensor, coarse: Tensor | None, actions: Tensor) -> tuple[Tensor, Tensor]:
        """What is seen of the past, and what the network makes of it."""
        past, actions = past[:, -self.past_frames :], actions[:, -self.past_frames :]
        inputs = [past.flatten(1, 2)]
        if coarse is not None:
            inputs.append(coarse[:, -self.past_frames - 1 :].flatten(1, 2))
        flat = actions.flatten(1) if self.action_dim else past.new_zeros(past.shape[0], 1)
        return past, self.net.features(torch.cat(inputs, dim=1), self.embed_actions(flat))

    def _faithful_maps(self, features: Tensor) -> Tensor:
        """The maps of mean and std; the std is read from features that it does not shape."""
        mean = self.net.outputs(features, self.head.mean)
        std = self.net.outputs(features.detach(), self.head.log_std)
        return torch.cat([mean, std], dim=1)

    def _advected(self, past: Tensor, features: Tensor) -> Tensor:
        """What moves to each place (B, c, y, x): a blend of the memory (B, P, c, y, x) around it.

        Dynamic neural advection (Finn, Goodfellow and Levine, 2016, section 3.1), of all P frames, so that what was
        hidden for a moment can come back. All channels move together: no colour has to be learned for itself.
        """
        if not self.advection_radius:
            return past[:, -1]
        logits = self.net.outputs(features, self.head.moving)
        weights = logits.softmax(1).unflatten(1, (past.shape[1], -1)).unsqueeze(3)
        moved = torch.zeros_like(past[:, -1])
        # One place after the other: all of them side by side do not fit the caches, and take five times as long.
        for weight, values in zip(weights.unbind(2), shifts(past, self.advection_radius), strict=True):
            moved = moved + (weight * values).sum(1)
        return moved

    def _start_components_apart(self) -> None:
        """Let each component prefer to copy from a place of its own, so that each begins as another motion."""
        with torch.no_grad():
            for component in range(self.components):
                favoured = self.head.place(component, component % self.head.places)
                self.net.bias[favoured] += FAVOURED_PLACE_LOGIT

    def _start_standing(self) -> None:
        """Let all that might move stay where it is in the last frame."""
        same_place = self.head.sources - 1 - count_places(self.advection_radius) // 2
        with torch.no_grad():
            self.net.bias[self.head.moving] = 0.0
            self.net.bias[same_place] = STANDING_LOGIT

    def _elements(self, last: Tensor, moved: Tensor, maps: Tensor) -> Gaussian | CopyOrChange:
        parts = maps.split(self.head.parts, dim=-3)
        change = self.change(moved + parts[0], bounded_log_std(parts[1] + self.raw_log_std))
        if not self.has_choices:
            return change
        places = parts[3] if self.copy_radius else torch.zeros_like(parts[2][..., :1, :, :])
        return CopyOrChange(
            old=neighbours(last, self.copy_radius),
            old_log_std=bounded_log_std(self.raw_copy_log_std, COPY_LOG_STD_RANGE),
            change=change,
            logit=parts[2],
            log_source=places.unsqueeze(-3).log_softmax(-4),
        )


def _log_weights(maps: Tensor) -> Tensor:
    """The log-weights (B, M) of the components, from their maps (B, M, y, x)."""
    return maps.mean(dim=(2, 3)).log_softmax(1)


def count_places(radius: int) -> int:
    """K: the places of a square that reaches `radius` places to each side."""
    return (2 * radius + 1) ** 2


def neighbours(x: Tensor, radius: int) -> Tensor:
    """The values (..., K, c, y, x) at the K places around each place of x (..., c, y, x).

    Beyond the border the nearest value is repeated.
    """
    return torch.stack(list(shifts(x, radius)), dim=-4) if radius else x.unsqueeze(-4)


def bounded_log_std(raw: Tensor, bounds: tuple[float, float] = LOG_STD_RANGE) -> Tensor:
    """A log standard deviation inside `bounds`, about -2 for 0 inside `LOG_STD_RANGE`."""
    low, high = bounds
    return low + (high - low) * torch.sigmoid(raw + 0.6)


def unbounded_log_std(log_std: float, bounds: tuple[float, float]) -> float:
    """The number that `bounded_log_std` maps to this log standard deviation."""
    low, high = bounds
    return math.log((log_std - low) / (high - log_std)) - 0.6
