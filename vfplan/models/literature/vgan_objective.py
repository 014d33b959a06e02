"""What VGAN learns from clips: videos that the discriminator takes for real ones, which begin with the given frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from vfplan.checks import within
from vfplan.models.base import Clip
from vfplan.models.literature.vgan import Vgan
from vfplan.models.parts.adversarial_objective import AdversarialObjective
from vfplan.models.parts.adversary import Judged, Rule, told_apart, towards, unmoved, with_actions
from vfplan.models.recipe import Recipe
from vfplan.models.trainable import Loss

LOSSES = ("later_frames", "first_frame", "mask", "fooled", "told_apart")
"""What is reported: mean absolute errors of the frames after the given one and of that, the mean of masks, what the
generator descends of the discriminator's judgement, and what the discriminator descends."""


@dataclass(frozen=True)
class VganRecipe(Recipe):
    """How VGAN is fitted."""

    name: str = "vgan"
    frames: int = within(7, 1, 1000)
    """After the given one."""
    rule: Rule = "bce"
    """bce (cross-entropy) or lsgan (squared distance)."""
    adversary: float = within(1.0, 0, 1e6)
    """Weight of the discriminator's judgement."""
    first_frame: float = within(10.0, 0, 1e6)
    """Weight of the mean absolute error of the given frame."""
    later_frames: float = within(0.0, 0, 1e6)
    """Weight of that of the frames that follow (Isola et al., 2017); the paper has none."""
    mask: float = within(0.1, 0, 1e6)
    """Weight of the mean of masks: what can be background, should be."""
    judge_rate: float = within(1.0, 1e-6, 1000)
    """Learning rate of the discriminator, as a share of that of the generator."""


class VganObjective(AdversarialObjective):
    """The losses of generator and discriminator, at the same weights.

    Raises:
        ValueError: for a recipe that does not fit the model.
    """

    def __init__(self, model: Vgan, recipe: VganRecipe) -> None:
        self.model, self.recipe = model, recipe
        super().__init__(model, recipe, [model.judge], frames=recipe.frames, judge_rate=recipe.judge_rate)

    def losses(self, clip: Clip, step: int, part: int, rng: torch.Generator) -> Iterator[Loss]:
        """Of one micro-batch: what the generator descends, then the discriminator."""
        model, recipe, last = self.model, self.recipe, self.model.past_frames - 1
        clip = self.part(clip, part)
        images, actions = model.images(clip.frames[:, last:]), model.actions(clip.actions[:, last:])
        model.judge.refresh(step)
        noise = model.sample_noise(len(images), actions.shape[1], rng)
        scene = model.paint(model.code(images[:, 0]), actions, noise.values)
        painted = scene.frames
        errors = (painted - images).abs().mean((0, 2, 3, 4))
        judged: Judged = unmoved(model.judge, with_actions(painted, actions))
        first, later = errors[0], errors[1:].mean()
        mask, fooled = scene.mask.mean(), towards(recipe.rule, judged.scores, 1.0)
        loss = recipe.first_frame * first + recipe.later_frames * later + recipe.mask * mask + recipe.adversary * fooled
        yield loss, [value.detach() for value in (later, first, mask, fooled)]
        real, fake = (model.judge(with_actions(frames, actions)).scores for frames in (images, painted.detach()))
        apart = told_apart(recipe.rule, real, fake)
        yield apart, [apart.detach()]

    def report(self, nats: Sequence[float]) -> dict[str, float]:
        """All losses, unweighted."""
        return dict(zip(LOSSES, nats, strict=True))
