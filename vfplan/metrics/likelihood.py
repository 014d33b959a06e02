"""Offline likelihood tests: exact bits per dimension of held-out episodes under a model."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vfplan.models.base import Clip, LikelihoodModel


@dataclass(frozen=True)
class Bits:
    """Bits per dimension of N episodes, averaged over dequantisation samples; conditioning frames cost nothing."""

    per_step: NDArray[np.float64]
    """(N, T): -log2 p of frame t divided by its C * Y * X dimensions."""
    per_level: NDArray[np.float64]
    """(N, L), finest level first, in the same unit: divided by C * Y * X, so that levels add up to the whole."""
    importance: NDArray[np.float64]
    """(N,): the importance-weighted bound of an episode, over the same samples (Burda et al., 2016, equation 8), in the
    same unit, per step: at most `per_episode`, and closer to -log2 p the more samples there are."""

    @property
    def per_episode(self) -> NDArray[np.float64]:
        """(N,): the mean over steps."""
        return self.per_step.mean(axis=1)


@torch.inference_mode()
def bits_per_dim(model: LikelihoodModel, clip: Clip, rng: torch.Generator, *, samples: int = 1) -> Bits:
    """Teacher-forced bits/dim of the last T of a clip's P + T frames.

    `samples` dequantisation samples are averaged inside the logarithm's expectation (the bound of Theis et al., 2016,
    with less variance); `importance` is the tighter bound that averages probabilities instead.
    """
    past = model.past_frames
    context, frames, actions = clip.context(past), clip.frames, clip.actions
    nats = []
    for _ in range(samples):
        log_prob = model.log_prob(context, actions[:, past - 1 :], frames[:, past:], rng)
        nats.append(log_prob.per_level.double())
    scale = -1.0 / (math.log(2) * frames[0, 0].numel())
    every = torch.stack(nats)
    levels = every.mean(0).cpu().numpy() * scale
    whole = every.sum(dim=(2, 3)).logsumexp(0) - math.log(samples)
    return Bits(levels.sum(2), levels.mean(1), whole.cpu().numpy() * scale / levels.shape[1])


def shuffled_actions(actions: Tensor, rng: torch.Generator) -> Tensor:
    """The action sequences (N, T, A) of other episodes: a random cyclic shift of a random order, so that none stays.

    Raises:
        ValueError: for fewer than two episodes.
    """
    rows = actions.shape[0]
    if rows < 2:
        raise ValueError(f"shuffling actions needs at least 2 episodes; got {rows}")
    order = torch.randperm(rows, generator=rng, device=actions.device)
    shuffled = torch.empty_like(actions)
    shuffled[order] = actions[order.roll(1)]
    return shuffled
