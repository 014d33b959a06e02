"""What world models with latents learn from clips: the evidence lower bound, or the objective of their papers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from vfplan.models.base import Clip
from vfplan.models.parts.emission import OneScale
from vfplan.models.parts.emitted import Emitted, Independent
from vfplan.models.parts.forcing import forced
from vfplan.models.parts.gaussian import at_least
from vfplan.models.parts.latent_video import LatentVideo
from vfplan.models.parts.schedules import truth_share
from vfplan.models.parts.video_state import Inferred
from vfplan.models.parts.window_objective import WindowObjective
from vfplan.models.recipe import VariationalRecipe
from vfplan.models.trainable import Loss


class Evidence(WindowObjective):
    """The loss of a model with latents: what a frame costs given its latents, and what they cost.

    Raises:
        ValueError: for a recipe that does not fit the model.
    """

    def __init__(self, model: LatentVideo, recipe: VariationalRecipe) -> None:
        super().__init__(model, recipe, recipe.frames)
        self.model, self.recipe, config = model, recipe, model.config
        self.dims = config.channels * config.image_size**2
        if recipe.loss == "published" and not isinstance(model.emission, OneScale):
            raise ValueError(f"loss=published needs model.emission=sigma or laplace; got {model.config.emission}")

    def losses(self, clip: Clip, step: int, part: int, rng: torch.Generator) -> Iterator[Loss]:
        """The loss of one micro-batch, and what its frames and latents cost in nats per frame."""
        yield self._loss(self.part(clip, part), step, rng)

    def report(self, nats: Sequence[float]) -> dict[str, float]:
        """Bits per dimension, of which the latents have `kl_bits` per frame."""
        bits = [value / math.log(2) for value in nats]
        return {"bits_per_dim": sum(bits) / self.dims, "kl_bits": bits[1]}

    def _loss(self, clip: Clip, step: int, rng: torch.Generator) -> Loss:
        past, model = self.model.past_frames, self.model
        state = model.encode(clip.context(past))
        frames, actions = clip.frames[:, past:], model.actions(clip.actions[:, past - 1 :])
        images, noise = model.images(frames), model.sample_noise(len(actions), actions.shape[1], rng)
        shown, inferring = truth_share(step, self.recipe.sampling_decay), self.recipe.infers(step)
        warm = self.recipe.kl_share(step)
        loss, nats = torch.zeros((), device=images.device), []
        steps = forced(model, state, images, actions, noise, inferring=inferring, truth=shown, rng=rng)
        for index, (emitted, inferred) in enumerate(steps):
            learned, exact = self._frame_loss(emitted, inferred, frames[:, index], images[:, index], warm)
            loss = loss + learned / frames.shape[1]
            nats.append(exact)
        return loss, list(torch.stack(nats).mean(0).detach())

    def _frame_loss(
        self, emitted: Emitted, inferred: Inferred, frame: Tensor, image: Tensor, warm: float
    ) -> tuple[Tensor, Tensor]:
        """What is descended of one frame, and its exact cost (2,) in nats: of the frame, and of its latents."""
        distance = None
        if self.recipe.loss == "published":
            assert isinstance(emitted, Independent)
            distance, emitted = emitted.distance(image).mean(), emitted.of_scale()
        nats, divergences = -emitted.log_prob(frame).mean(), inferred.divergences()
        exact = torch.stack([nats, sum(divergences, nats.new_zeros(len(frame))).mean()])
        priced = [at_least(divergence, self.recipe.free_nats).mean() for divergence in divergences]
        price = warm * self.recipe.kl_weight * sum(priced, torch.zeros_like(nats))
        if distance is None:
            return (nats + price) / self.dims, exact
        return distance + price + nats / self.dims, exact
