"""What objectives have in common whose models learn from discriminators: who learns, at which rate, and from how much.

Generator and discriminators are judged at the same weights, and one optimiser takes all their steps.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from vfplan.models.parts.video_model import VideoModel
from vfplan.models.parts.window_objective import WindowObjective
from vfplan.models.recipe import Recipe


class AdversarialObjective(WindowObjective):
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
        super().__init__(model, recipe, frames)
        self.judge_rate = judge_rate
        self.judging = [parameter for judge in judges for parameter in judge.parameters()]
        theirs = {id(parameter) for parameter in self.judging}
        self.generating = [parameter for parameter in model.parameters() if id(parameter) not in theirs]

    def rates(self) -> list[tuple[list[nn.Parameter], float]]:
        """The generator at the full rate, the discriminators at their own."""
        return [(self.generating, 1.0), (self.judging, self.judge_rate)]

    def clipped(self) -> list[tuple[str, list[nn.Parameter]]]:
        """The generator by itself, and the discriminators together."""
        return [("the generator", self.generating), ("the discriminator", self.judging)]
