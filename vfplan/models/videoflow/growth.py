"""A trained model that grows, by memory or by being told of the hand: it goes on from what it knows.

As Net2Net grows networks (Chen, Goodfellow and Shlens, 2016, arXiv:1511.05641), so that a scene in which hardly
anything moves can begin with what another one taught.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from vfplan.models.trainable import Architecture
from vfplan.models.videoflow.architecture import PriorConfig, VideoFlowConfig, assemble
from vfplan.models.videoflow.model import VideoFlow
from vfplan.models.videoflow.prior import LevelPrior

STEM = "net.stem.weight"


def grows_into(config: Architecture, wanted: Architecture) -> bool:
    """Return whether `wanted` is `config`, with as many remembered frames or more, and perhaps told of the hand."""
    if not isinstance(config, VideoFlowConfig) or not isinstance(wanted, VideoFlowConfig):
        return False
    longer = all(new >= old for old, new in zip(_frames_seen(config), _frames_seen(wanted), strict=False))
    return longer and config.hand in (None, wanted.hand) and _without_growth(config) == _without_growth(wanted)


def grow(model: VideoFlow, wanted: Architecture) -> VideoFlow | None:
    """Return the model of `wanted`, with the weights of a `model` that grows into it; None if it does not.

    Where the older frames show what the oldest of before shows, both foretell the same: networks do not look at older
    frames or at the hand's map yet, and what moves is taken from older frames and from the oldest in equal parts.
    """
    if not (isinstance(wanted, VideoFlowConfig) and grows_into(model.config, wanted)):
        return None
    larger, weights = assemble(wanted).to(next(model.parameters())), model.state_dict()
    for level, (old, new) in enumerate(zip(model.priors, larger.priors, strict=True)):
        assert isinstance(old, LevelPrior) and isinstance(new, LevelPrior)
        changed = _lengthened(old, new.past_frames) if new.past_frames > old.past_frames else {}
        if wanted.hand and not model.config.hand and level == model.top:
            stem = changed.get(STEM, old.net.stem.weight)
            changed[STEM] = _zeros_beside(stem, after=new.past_frames + 1)
        weights |= {f"priors.{level}.{name}": value for name, value in changed.items()}
    larger.load_state_dict(weights)
    return larger


def _lengthened(prior: LevelPrior, frames: int) -> dict[str, Tensor]:
    """The weights of `prior` that see or blend remembered frames, for so many of them."""
    state, extra = prior.state_dict(), frames - prior.past_frames
    stem, split = state[STEM], prior.past_frames * prior.latent_shape[0]
    past, coarse = stem[:, :split], stem[:, split:]
    parts = [_zeros_beside(past, before=extra * prior.latent_shape[0]), coarse]
    if coarse.shape[1]:
        parts[1] = _zeros_beside(coarse, before=extra * coarse.shape[1] // (prior.past_frames + 1))
    changed = {STEM: torch.cat(parts, dim=1)}
    if prior.action_dim:
        first = "embed_actions.0.weight"
        changed[first] = _zeros_beside(state[first], before=extra * prior.action_dim)
    if prior.head.sources:
        places = prior.head.sources // prior.past_frames
        for name, shared in (("net.head.weight", 0.0), ("net.head.bias", math.log(extra + 1))):
            oldest = state[name][:places] - shared
            changed[name] = torch.cat([oldest] * (extra + 1) + [state[name][places:]])
    return changed


def _zeros_beside(weight: Tensor, *, before: int = 0, after: int = 0) -> Tensor:
    """The weight (out, in, ...) for so many more inputs, before and after the others, that change nothing."""
    first, last = (weight.new_zeros(weight.shape[0], count, *weight.shape[2:]) for count in (before, after))
    return torch.cat([first, weight, last], dim=1)


def _frames_seen(config: VideoFlowConfig) -> list[int]:
    return [prior.past_frames or config.past_frames for prior in config.priors]


def _without_growth(config: VideoFlowConfig) -> VideoFlowConfig:
    priors: tuple[PriorConfig, ...] = tuple(replace(prior, past_frames=0) for prior in config.priors)
    return replace(config, past_frames=1, priors=priors, hand=None)
