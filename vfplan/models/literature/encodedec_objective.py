"""What a vector that moves by itself learns from clips: to show every frame of a window, known ones too."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from vfplan.models.base import Clip
from vfplan.models.literature.encodedec import Encodedec
from vfplan.models.parts.emission import OneScale
from vfplan.models.parts.emitted import Emitted, Independent
from vfplan.models.parts.gaussian import Gaussian, at_least
from vfplan.models.parts.window_objective import WindowObjective
from vfplan.models.recipe import VariationalRecipe
from vfplan.models.trainable import Loss
from vfplan.pixels import unit_from_frames


class EncodedecObjective(WindowObjective):
    """Of frames given the vector drawn from the posterior at the first, and the divergence of that from N(0, 1).

    Raises:
        ValueError: for a recipe that does not fit the model.
    """

    def __init__(self, model: Encodedec, recipe: VariationalRecipe) -> None:
        super().__init__(model, recipe, recipe.frames)
        self.model, self.recipe = model, recipe
        self.dims = model.config.channels * model.config.image_size**2
        if recipe.sampling_decay:
            raise ValueError(
                f"sampling_decay must be 0 for {model.config.name}, which goes on from no frames; "
                f"got {recipe.sampling_decay}"
            )
        if recipe.loss == "published" and not isinstance(model.emission, OneScale):
            raise ValueError(f"loss=published needs model.emission=sigma or laplace; got {model.config.emission}")

    def losses(self, clip: Clip, step: int, part: int, rng: torch.Generator) -> Iterator[Loss]:
        """The loss of one micro-batch; what a frame that is foretold costs in nats, and the vector, per frame."""
        model, clip = self.model, self.part(clip, part)
        first = model.encode(clip.context(model.past_frames)).first
        z = first.sample(model.sample_noise(self.rows, 1, rng).values)
        path, frames = model.move(z, model.actions(clip.actions)), clip.frames
        distance, emitted = self._shown(model.emit(path.flatten(0, 1)), frames)
        nats = -emitted.log_prob(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])
        divergence = first.divergence(Gaussian.standard(first.mean)) / frames.shape[1]
        free = self.recipe.free_nats / frames.shape[1]
        warm = self.recipe.kl_weight * self.recipe.kl_share(step)
        price, nats_per_dim = warm * at_least(divergence, free).mean(), nats.mean() / self.dims
        loss = nats_per_dim + price / self.dims if distance is None else distance + price + nats_per_dim
        yield loss, [nats[:, model.past_frames :].mean().detach(), divergence.mean().detach()]

    def report(self, nats: Sequence[float]) -> dict[str, float]:
        """Bits per dimension of the frames that are foretold, and what the vector costs per frame."""
        bits = [value / math.log(2) for value in nats]
        return {"bits_per_dim": bits[0] / self.dims, "kl_bits": bits[1]}

    def _shown(self, emitted: Emitted, frames: Tensor) -> tuple[Tensor | None, Emitted]:
        """The published error, if that is descended, and the distribution that is then to be fitted."""
        if self.recipe.loss == "likelihood":
            return None, emitted
        assert isinstance(emitted, Independent)
        return emitted.distance(unit_from_frames(frames.flatten(0, 1)).to(emitted.location)).mean(), emitted.of_scale()
