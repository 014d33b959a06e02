"""What models with exact probabilities learn from clips: the likelihood of the next frame, level by level."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import nn

from vfplan.models.base import Clip
from vfplan.models.parts.pixel_video import Past, PixelVideo
from vfplan.models.recipe import Recipe
from vfplan.models.trainable import Loss


class PixelObjective:
    """The negative log-likelihood of the frame after P others, in nats per value, of each level by itself.

    Raises:
        ValueError: for a recipe that does not fit the model.
    """

    def __init__(self, model: PixelVideo, recipe: Recipe) -> None:
        self.model, self.recipe = model, recipe
        self.batch = recipe.batch * model.num_levels if len(recipe.batch) == 1 else recipe.batch
        if len(self.batch) != model.num_levels:
            raise ValueError(f"batch needs 1 or {model.num_levels} numbers for {model.config.name}; got {recipe.batch}")
        if recipe.lead_in >= model.past_frames:
            raise ValueError(
                f"lead_in={recipe.lead_in} leaves none of past_frames={model.past_frames} frames to the episode"
            )

    @property
    def window(self) -> int:
        """Frames per clip."""
        return self.model.past_frames + 1

    def rates(self) -> list[tuple[list[nn.Parameter], float]]:
        """All at the full rate."""
        return [(list(self.model.parameters()), 1.0)]

    def clipped(self) -> list[tuple[str, list[nn.Parameter]]]:
        """Each level that learns by itself."""
        return [(f"level {level}", self.model.level_parameters(level)) for level, _ in self._learned()]

    def losses(self, clip: Clip, step: int, part: int, rng: torch.Generator) -> Iterator[Loss]:
        """The loss of each level that learns on one micro-batch, and its exact nats."""
        for level, rows in self._learned():
            size = rows // self.recipe.micro_batches
            some = clip.take(slice(part * size, (part + 1) * size))
            past = Past(some.frames[:, :-1], some.actions)
            nats = -self.model.level_log_prob(level, past, some.frames[:, -1]).sum((1, 2)).mean()
            yield nats / self.model.level_dims(level), [nats.detach()]

    def report(self, nats: Sequence[float]) -> dict[str, float]:
        """Bits per dimension of the levels that learn, in total and for each."""
        dims = {level: self.model.level_dims(level) for level, _ in self._learned()}
        bits = {f"level_{level}": n / math.log(2) / dims[level] for level, n in zip(dims, nats, strict=True)}
        return {"bits_per_dim": sum(nats) / math.log(2) / sum(dims.values()), **bits}

    def _learned(self) -> list[tuple[int, int]]:
        """The levels that learn, and the windows per step that they learn from."""
        return [(level, rows) for level, rows in enumerate(self.batch) if rows]
