"""What a point-to-point model learns from clips: to foretell as a world model, and to end where it is told to.

After Wang et al., "Point-to-Point Video Generation", ICCV 2019. In a share of the windows the last frame is the goal
and frames are left out at random; there foretold codes are drawn towards those of the frames (alignment), and the prior
alone is taught to end at the goal (control point). That end is imagined from the memory before the last step; the
published code had already moved on. In the other windows nothing is known of the end, and nothing left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vfplan.checks import within
from vfplan.models.base import Clip
from vfplan.models.literature.p2p import PointToPoint
from vfplan.models.parts.evidence import Evidence
from vfplan.models.parts.video_state import VideoState
from vfplan.models.recipe import VariationalRecipe
from vfplan.models.trainable import Loss


@dataclass(frozen=True)
class P2PRecipe(VariationalRecipe):
    """How a point-to-point model is fitted."""

    name: str = "p2p"
    frames: int = within(10, 1, 1000)
    goals: float = within(0.5, 0, 1)
    """Share of the windows in which the goal is known, at any distance up to `frames`."""
    skipping: float = within(0.5, 0, 0.99)
    """How likely each frame on the way to a goal is left out."""
    align: float = within(0.5, 0, 1e6)
    """Of the mean squared distance between the codes foretold and those of the frames."""
    control: float = within(100.0, 0, 1e6)
    """Of the mean squared error of the goal as the prior foretells it, in units of the KL divergence in nats."""


class P2PObjective(Evidence):
    """The loss of a point-to-point model.

    Raises:
        ValueError: for a recipe that does not fit the model, or leaves no windows with a goal, or none without.
    """

    model: PointToPoint
    recipe: P2PRecipe

    def __init__(self, model: PointToPoint, recipe: P2PRecipe) -> None:
        super().__init__(model, recipe)
        self.aimed = round(recipe.goals * self.rows)
        if not 0 < self.aimed < self.rows:
            raise ValueError(f"goals={recipe.goals} of {self.rows} windows leaves none with a goal, or none without")

    def losses(self, clip: Clip, step: int, part: int, rng: torch.Generator) -> Iterator[Loss]:
        """The loss of one micro-batch; what frames and latents cost in nats without a goal, and with one."""
        some = self.part(clip, part)
        free, nats = self._loss(some.take(slice(self.aimed, None)), step, rng)
        bound, told = self._way(some.take(slice(self.aimed)), step, rng)
        share = self.aimed / self.rows
        yield (1 - share) * free + share * bound, [*nats, *told]

    def report(self, nats: Sequence[float]) -> dict[str, float]:
        """Bits as of any model with latents; latents on the way to a goal, and the squared error at the goal."""
        free, (divergence, error) = super().report(nats[:2]), nats[2:]
        return {**free, "goal_kl_bits": super().report([0.0, divergence])["kl_bits"], "goal_error": error}

    def _way(self, clip: Clip, step: int, rng: torch.Generator) -> tuple[Tensor, list[Tensor]]:
        """The loss of going to a frame, the KL divergence in nats per step, and the error at its end."""
        model, past, recipe = self.model, self.model.past_frames, self.recipe
        length = int(torch.randint(1, recipe.frames + 1, (), generator=rng, device=rng.device))
        frames = clip.frames[:, past : past + length]
        images, action = model.images(frames), model.no_actions(len(frames))
        state: VideoState = model.towards(model.encode(clip.context(past)), images[:, -1])
        shown = self._shown(length, rng)
        noise, warm = model.sample_noise(len(frames), len(shown) + 1, rng), recipe.kl_share(step)
        loss, divergences, before, error = torch.zeros((), device=images.device), [], -1, torch.zeros(())
        for place, index in enumerate(shown):
            seen = model.look(images[:, index])
            state = model.timed(state, (index - before) / length, (length - 1 - index) / length)
            if index == length - 1:
                error = self._error_of_prior(state, action, images[:, -1], noise.at(len(shown)))
            inferred = model.infer(state, action, seen, noise.at(place))
            output, last = model.paint(inferred.features, inferred.state), inferred.state.newest.image
            learned, exact = self._frame_loss(
                model.emission(output, last), inferred, frames[:, index], images[:, index], warm
            )
            aligned = (inferred.features - seen.code).square().mean()
            loss = loss + (learned + recipe.align * aligned) / len(shown)
            divergences.append(exact[1])
            state, before = model.notice(inferred.state, seen), index
        unit = 1 if recipe.loss == "published" else self.dims
        loss = loss + warm * recipe.kl_weight * recipe.control * error / unit
        return loss, [torch.stack(divergences).mean().detach(), error.detach()]

    def _shown(self, length: int, rng: torch.Generator) -> list[int]:
        """The frames on the way that are not left out; the last one never is."""
        drawn = torch.rand(length, generator=rng, device=rng.device) >= self.recipe.skipping
        return [index for index, kept in enumerate(drawn.tolist()) if kept or index == length - 1]

    def _error_of_prior(self, state: VideoState, action: Tensor, goal: Tensor, noise: tuple[Tensor, ...]) -> Tensor:
        """The squared error of the goal as the prior foretells it from the memory before the last step.

        Only the prior learns from it: else the decoder would learn to paint the goal whatever it is given.
        """
        model = self.model
        with only_learning(model, model.prior_net, model.prior_head):
            features, after = model.imagine(state.map(Tensor.detach), action, noise)
            emitted = model.emission(model.paint(features, after), after.newest.image)
        return emitted.distance(goal).mean()


@contextmanager
def only_learning(model: nn.Module, *parts: nn.Module) -> Iterator[None]:
    """What is computed meanwhile has gradients of these parts of a model alone."""
    learning = {parameter for part in parts for parameter in part.parameters()}
    others = [parameter for parameter in model.parameters() if parameter.requires_grad and parameter not in learning]
    try:
        for parameter in others:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in others:
            parameter.requires_grad_(True)
