"""What objectives have in common that learn from windows as a whole: how long these are, and in which parts."""

from __future__ import annotations

from torch import nn

from vfplan.models.base import Clip
from vfplan.models.recipe import Recipe
from vfplan.models.trainable import TrainableModel


class WindowObjective:
    """Windows of a model's memory and more frames, worked through in micro-batches; all of the model learns alike.

    Args:
        model: what learns.
        recipe: how.
        frames: of a window, after those of the model's memory.

    Raises:
        ValueError: for a recipe that does not fit the model.
    """

    def __init__(self, model: TrainableModel, recipe: Recipe, frames: int) -> None:
        if len(recipe.batch) != 1:
            raise ValueError(f"batch needs one number for {model.config.name}; got {recipe.batch}")
        if recipe.lead_in >= model.past_frames:
            raise ValueError(
                f"lead_in={recipe.lead_in} leaves none of past_frames={model.past_frames} frames to the episode"
            )
        self.learning = list(model.parameters())
        self.window, self.rows = model.past_frames + frames, recipe.batch[0] // recipe.micro_batches

    def rates(self) -> list[tuple[list[nn.Parameter], float]]:
        """All of the model at the full rate."""
        return [(self.learning, 1.0)]

    def clipped(self) -> list[tuple[str, list[nn.Parameter]]]:
        """All of the model together."""
        return [("the model", self.learning)]

    def part(self, clip: Clip, part: int) -> Clip:
        """The rows of one of the micro-batches."""
        return clip.take(slice(part * self.rows, (part + 1) * self.rows))
