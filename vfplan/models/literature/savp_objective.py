"""What SAVP learns from clips: frames as they were, and videos that two discriminators take for real ones.

    100 |x - x^| + KL + 0.1 (D_prior + D_posterior) + 10 feature distance

After Lee et al., "Stochastic Adversarial Video Prediction", 2018, with squared distances of scores (Mao et al., 2017).
Videos of the prior go on from their own frames, as in planning, and learn through all of them; those of the posterior
are reconstructed, from true frames or their own. First neither latents nor discriminators matter, then latents do, then
both: what the recipe says of the steps at which each begins.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from vfplan.checks import within
from vfplan.models.base import Clip
from vfplan.models.literature.savp import Savp
from vfplan.models.parts.adversarial_objective import AdversarialObjective
from vfplan.models.parts.adversary import Judged, feature_distance, told_apart, towards, unmoved, with_actions
from vfplan.models.parts.forcing import forced
from vfplan.models.parts.gaussian import at_least
from vfplan.models.parts.schedules import truth_share
from vfplan.models.parts.video_state import VideoState
from vfplan.models.recipe import StagedRecipe
from vfplan.models.trainable import Loss

LOSSES = ("absolute_error", "kl_bits")
"""What is reported first: the mean absolute error of what is reconstructed, and what latents cost per frame."""

JUDGED = ("fooled_prior", "fooled_posterior", "features", "told_apart_prior", "told_apart_posterior")
"""What is reported once discriminators count: how far videos are from being taken for real, the distance of features,
and what the discriminators descend, 1/4 if they can tell nothing."""


@dataclass(frozen=True)
class SavpRecipe(StagedRecipe):
    """How SAVP is fitted."""

    name: str = "savp"
    loss: Literal["likelihood", "published"] = field(default="published", metadata={"setting": False})
    """No setting, for there is no likelihood."""
    error: float = within(100.0, 0, 1e6)
    """Weight of the mean absolute error, in units of the pixel range."""
    judged_from: float = within(0.5, 0, 1)
    """Share of the steps after which discriminators learn and count."""
    prior_judge: float = within(0.1, 0, 1e6)
    """Weight of what the discriminator of videos of the prior says."""
    posterior_judge: float = within(0.1, 0, 1e6)
    """The same of reconstructed videos."""
    features: float = within(10.0, 0, 1e6)
    """Weight of the distance between its features of real and of reconstructed videos."""
    judge_rate: float = within(1.0, 1e-6, 1000)
    """Learning rate of the discriminators, as a share of that of the generator."""


class SavpObjective(AdversarialObjective):
    """The losses of generator and discriminators, at the same weights.

    Raises:
        ValueError: for a recipe that does not fit the model.
    """

    def __init__(self, model: Savp, recipe: SavpRecipe) -> None:
        self.model, self.recipe = model, recipe
        judges = [model.prior_judge, model.posterior_judge]
        super().__init__(model, recipe, judges, frames=recipe.frames, judge_rate=recipe.judge_rate)

    def losses(self, clip: Clip, step: int, part: int, rng: torch.Generator) -> Iterator[Loss]:
        """Of one micro-batch: what the generator descends, then the discriminators, once these count."""
        model, recipe, past, clip = self.model, self.recipe, self.model.past_frames, self.part(clip, part)
        images, actions = model.images(clip.frames[:, past - 1 :]), model.actions(clip.actions[:, past - 1 :])
        state = model.encode(clip.context(past))
        newest, frames = images[:, :1], images[:, 1:]
        reconstructed, latents, priced = self._reconstruct(state, frames, actions, step, rng)
        error = (reconstructed - frames).abs().mean()
        loss = recipe.error * error + recipe.kl_share(step) * recipe.kl_weight * priced
        found = [error.detach(), latents.detach()]
        if step < recipe.judged_from * recipe.steps:
            yield loss, found
            return
        imagined = model.rollout(state, actions, model.sample_noise(len(images), actions.shape[1], rng))
        videos = images, *(torch.cat([newest, made], dim=1) for made in (imagined, reconstructed))
        real, prior, posterior = (with_actions(video, actions) for video in videos)
        for judge in (model.prior_judge, model.posterior_judge):
            judge.refresh(step)
        judged = self._judged(real, prior, posterior)
        fooled, exact = next(judged)
        yield loss + fooled, [*found, *exact]
        yield from judged

    def report(self, nats: Sequence[float]) -> dict[str, float]:
        """All losses, unweighted."""
        error, latents, *judged = nats
        first = dict(zip(LOSSES, (error, latents / math.log(2)), strict=True))
        return first | dict(zip(JUDGED, judged, strict=True)) if judged else first

    def _reconstruct(
        self, state: VideoState, frames: Tensor, actions: Tensor, step: int, rng: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Videos (B, T, C, Y, X), what their latents cost in nats per frame, and what is to be paid of that."""
        video, recipe = self.model.video, self.recipe
        noise, truth = video.sample_noise(len(frames), frames.shape[1], rng), truth_share(step, recipe.sampling_decay)
        inferring = recipe.infers(step)
        steps = list(forced(video, state, frames, actions, noise, inferring=inferring, truth=truth, rng=rng))
        images = torch.stack([emitted.image for emitted, _ in steps], dim=1)
        divergences = torch.stack([torch.stack(inferred.divergences()) for _, inferred in steps])
        return images, divergences.sum(1).mean(), at_least(divergences, recipe.free_nats).sum(1).mean()

    def _judged(self, real: Tensor, prior: Tensor, posterior: Tensor) -> Iterator[Loss]:
        """What the generator descends of the judgement of videos (B, C + A, T, Y, X), then what discriminators do."""
        model, recipe = self.model, self.recipe
        by_prior: Judged = unmoved(model.prior_judge, prior)
        by_posterior: Judged = unmoved(model.posterior_judge, posterior)
        seen: Judged = model.posterior_judge(real)
        one, other = (towards("lsgan", judged.scores, 1.0) for judged in (by_prior, by_posterior))
        distance = feature_distance(seen.features, by_posterior.features)
        fooled = recipe.prior_judge * one + recipe.posterior_judge * other + recipe.features * distance
        yield fooled, [value.detach() for value in (one, other, distance)]
        one = told_apart("lsgan", model.prior_judge(real).scores, model.prior_judge(prior.detach()).scores)
        other = told_apart("lsgan", seen.scores, model.posterior_judge(posterior.detach()).scores)
        yield one + other, [one.detach(), other.detach()]
