"""What DDPAE learns from clips: to paint the known frames and those that follow from components that move."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from vfplan.checks import within
from vfplan.models.base import Clip
from vfplan.models.literature.ddpae import STEP, Ddpae
from vfplan.models.parts.gaussian import Gaussian
from vfplan.models.parts.schedules import ramp
from vfplan.models.parts.window_objective import WindowObjective
from vfplan.models.recipe import Recipe
from vfplan.models.trainable import Loss

FIRST_STD = (0.2, 1.0, 1.0)
"""Of the prior of the first pose: of size, x and y."""


@dataclass(frozen=True)
class DdpaeRecipe(Recipe):
    """How DDPAE is fitted."""

    name: str = "ddpae"
    frames: int = within(10, 1, 1000)
    """Frames to foretell in a training window, after those that are known."""
    loss: Literal["likelihood", "published"] = "likelihood"
    """likelihood: of frames, with a scale that is learned, per dimension. published: the mean squared error; then the
    scale alone is fitted to the likelihood."""
    prior_weight: float = within(1.0, 0, 1e6)
    """Of what poses and contents cost under their priors, in nats, once it is warm."""
    prior_warmup: float = within(0.2, 0, 1)
    """Share of the steps over which that weight rises from 0."""


class DdpaeObjective(WindowObjective):
    """The loss of frames, known and foretold, and what components cost under their priors.

    Raises:
        ValueError: for a recipe that does not fit the model.
    """

    def __init__(self, model: Ddpae, recipe: DdpaeRecipe) -> None:
        super().__init__(model, recipe, recipe.frames)
        self.model, self.recipe = model, recipe
        self.dims = model.config.channels * model.config.image_size**2

    def losses(self, clip: Clip, step: int, part: int, rng: torch.Generator) -> Iterator[Loss]:
        """The loss of one micro-batch, and what foretold frames and components cost in nats per frame."""
        model, recipe, past = self.model, self.recipe, self.model.past_frames
        clip = self.part(clip, part)
        images, actions = model.images(clip.frames), model.actions(clip.actions)
        poses = model.track(images[:, :past])
        state = model.state(images[:, :past], poses, actions[:, : past - 1])
        noise = model.sample_noise(len(images), recipe.frames, rng)
        content = state.content.sample(noise.levels[0][:, 0])
        pictures, places = model.sprites.pictures(content), list(poses.unbind(1))
        price = prior_cost(poses) + state.content.divergence(Gaussian.standard(content))
        for index, action in enumerate(actions[:, past - 1 :].unbind(1)):
            state, expected = model.advance(state, content, action, noise.levels[1][:, index])
            price = price + expected.divergence(_step_prior(expected.mean))
            places.append(state.pose)
        painted = [model.sprites.over(state.background, pictures, pose) for pose in places]
        learned, nats = zip(*map(self._frame, painted, images.unbind(1), clip.frames.unbind(1)), strict=True)
        price = price.mean() / recipe.frames
        warm = recipe.prior_weight * ramp(step, recipe.prior_warmup * recipe.steps)
        share = 1.0 if recipe.loss == "published" else 1 / self.dims
        yield (
            torch.stack(learned).mean() + share * warm * price,
            [
                torch.stack(nats[past:]).mean().detach(),
                price.detach(),
            ],
        )

    def report(self, nats: Sequence[float]) -> dict[str, float]:
        """Bits per dimension of all foretold frames, near and far; and what components cost per frame."""
        return {"bits_per_dim": nats[0] / math.log(2) / self.dims, "component_bits": nats[1] / math.log(2)}

    def _frame(self, painted: Tensor, image: Tensor, frame: Tensor) -> tuple[Tensor, Tensor]:
        """What is descended of one frame, and its nats."""
        emitted = self.model.emitted(painted)
        if self.recipe.loss == "likelihood":
            nats = -emitted.log_prob(frame).mean()
            return nats / self.dims, nats
        nats = -emitted.of_scale().log_prob(frame).mean()
        return emitted.distance(image).mean() + nats / self.dims, nats


def prior_cost(poses: Tensor) -> Tensor:
    """What known poses (B, P, N, 3) cost (B,) in nats, against those that the prior likes best."""
    first, steps = poses[:, 0] / poses.new_tensor(FIRST_STD), poses.diff(dim=1) / STEP
    return 0.5 * (first.square().flatten(1).sum(1) + steps.square().flatten(1).sum(1))


def _step_prior(like: Tensor) -> Gaussian:
    return Gaussian(torch.zeros_like(like), torch.full_like(like, math.log(STEP)))
