"""Going through known frames as they are learned from: one step at a time, from the true frame or the model's own."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from vfplan.models.parts.emitted import Emitted
from vfplan.models.parts.latent_video import LatentVideo
from vfplan.models.parts.video_state import Inferred, VideoNoise, VideoState


def forced(
    model: LatentVideo,
    state: VideoState,
    images: Tensor,
    actions: Tensor,
    noise: VideoNoise,
    *,
    inferring: bool,
    truth: float,
    rng: torch.Generator,
) -> Iterator[tuple[Emitted, Inferred]]:
    """What is said of each frame, and what of its latents.

    Args:
        model: what says it.
        state: before the first of these frames.
        images: (B, T, C, Y, X) in [0, 1].
        actions: (B, T, A) that led to them, as the networks see them.
        noise: of the latents.
        inferring: whether latents are drawn from the posterior, or else from the prior.
        truth: how likely the frame to go on from is the true one, in every row by itself; else it is the model's own,
            which gets no gradient.
        rng: what that is drawn from.
    """
    state = model.survey(state, images, actions) if inferring else state
    for index in range(images.shape[1]):
        seen = model.look(images[:, index])
        action, drawn = actions[:, index], noise.at(index)
        inferred = model.infer(state, action, seen, drawn) if inferring else model.expect(state, action, drawn)
        output, last = model.paint(inferred.features, inferred.state), inferred.state.newest.image
        emitted = model.emission(output, last)
        yield emitted, inferred
        if truth < 1 and index + 1 < images.shape[1]:
            true = torch.rand(len(images), generator=rng, device=images.device) < truth
            seen = seen.blend(model.look(emitted.image.detach()), true)
        state = model.notice(inferred.state, seen)
