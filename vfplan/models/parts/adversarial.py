"""What objectives have in common whose models learn from discriminators: who learns, at which rate, and from how much.

Generator and discriminators are judged at the same weights, and one optimiser takes all their steps.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from vfplan.models.base import Clip
from vfplan.models.parts.video_model import VideoModel
from vfplan.models.recipe import Recipe


class Adversarial:
    """A model against discriminators that are part of it.

    Args:
        model: all that learns.
        recipe: how.
        judges: the discriminators.
        frames: of a window, after those of the model's memory.
        judge_rate: learning rate of the discriminators, as a share of that of the others.

    Raises:
        ValueError: for a recipe that does not fit the model.
    """

    def __init__(
        self, model: VideoModel, recipe: Recipe, judges: Sequence[nn.Module], *, frames: int, judge_rate: float
    ) -> None:
        if len(recipe.batch) != 1:
            raise ValueError(f"batch needs one number for {model.config.name}; got {recipe.batch}")
        if recipe.lead_in >= model.past_frames:
            raise ValueError(
                f"lead_in={recipe.lead_in} leaves none of past_frames={model.past_frames} frames to the episode"
            )
        self.window = model.past_frames + frames
        self.rows, self.judge_rate = recipe.batch[0] // recipe.micro_batches, judge_rate
        self.judging = [parameter for judge in judges for parameter in judge.parameters()]
        theirs = {id(parameter) for parameter in self.judging}
        self.generating = [parameter for parameter in model.parameters() if id(parameter) not in theirs]

    def rates(self) -> list[tuple[list[nn.Parameter], float]]:
        """The generator at the full rate, the discriminators at their own."""
        return [(self.generating, 1.0), (self.judging, self.judge_rate)]

    def clipped(self) -> list[tuple[str, list[nn.Parameter]]]:
        """The generator by itself, and the discriminators together."""
        return [("the generator", self.generating), ("the discriminator", self.judging)]

    def part(self, clip: Clip, part: int) -> Clip:
        """The rows of one of the micro-batches."""
        return clip.take(slice(part * self.rows, (part + 1) * self.rows))
