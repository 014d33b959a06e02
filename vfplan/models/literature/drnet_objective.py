"""What DRNET learns from clips, in two phases: codes of content and pose, then how poses go on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from vfplan.checks import within
from vfplan.models.base import Clip
from vfplan.models.literature.drnet import Drnet
from vfplan.models.parts.adversary import told_apart, towards, unmoved
from vfplan.models.parts.window_objective import WindowObjective
from vfplan.models.recipe import Recipe
from vfplan.models.trainable import Loss

CODES = ("reconstruction", "similarity", "scene")
"""What is reported of the first phase: mean squared errors of pixels and of contents, and how far poses give away
whether they are of one video: nats, ln 2 if they do not."""


@dataclass(frozen=True)
class DrnetRecipe(Recipe):
    """How DRNET is fitted."""

    name: str = "drnet"
    frames: int = within(10, 1, 1000)
    """Of a window, after those that are known; pairs are taken from all of it."""
    codes: float = within(0.6, 0.001, 0.999)
    """Share of the steps in which codes are learned; in the others the LSTM learns, and codes stay as they are."""
    similarity: float = within(1.0, 0, 1e6)
    """Weight of the squared distance of two contents of a video."""
    scene: float = within(1e-4, 0, 1e6)
    """Weight of what poses give away."""
    pose_rate: float = within(1.0, 1e-6, 1000)
    """Learning rate of the LSTM, as a share of that of the codes."""


class DrnetObjective(WindowObjective):
    """The losses of both phases; which one it is, the step says.

    Raises:
        ValueError: for a recipe that does not fit the model.
    """

    def __init__(self, model: Drnet, recipe: DrnetRecipe) -> None:
        super().__init__(model, recipe, recipe.frames)
        self.model, self.recipe = model, recipe
        if self.rows < 2:
            raise ValueError(f"a micro-batch needs 2 windows or more, of different videos; got {self.rows}")

    def rates(self) -> list[tuple[list[nn.Parameter], float]]:
        """Codes and discriminator at the full rate, the LSTM at its own."""
        codes, scenes, memory = (parameters for _, parameters in self.clipped())
        return [(codes + scenes, 1.0), (memory, self.recipe.pose_rate)]

    def clipped(self) -> list[tuple[str, list[nn.Parameter]]]:
        """Codes, discriminator and LSTM, each by itself."""
        model = self.model
        parts = {
            "the codes": (model.content_encoder, model.pose_encoder, model.decoder),
            "the scene discriminator": (model.scenes,),
            "the LSTM": (model.memory, model.to_pose),
        }
        return [(name, [p for network in networks for p in network.parameters()]) for name, networks in parts.items()]

    def losses(self, clip: Clip, step: int, part: int, rng: torch.Generator) -> Iterator[Loss]:
        """Of one micro-batch: first the codes' and their discriminator's, later the LSTM's."""
        clip = self.part(clip, part)
        if step < self.recipe.codes * self.recipe.steps:
            yield from self._codes(self.model.images(clip.frames), rng)
        else:
            error = self.pose_error(clip)
            yield error, [error.detach()]

    def report(self, nats: Sequence[float]) -> dict[str, float]:
        """The losses of the phase; of the second one, the mean squared error of poses."""
        return dict(zip(CODES if len(nats) == len(CODES) else ("pose_error",), nats, strict=True))

    def pose_error(self, clip: Clip) -> Tensor:
        """The mean squared error of poses that go on from the known ones; codes get no gradient."""
        model, past = self.model, self.model.past_frames
        actions = model.actions(clip.actions)
        with torch.no_grad():
            images = model.images(clip.frames)
            content, poses = model.contents(images[:, past - 1]), model.poses(images)
        state, expected = model.read(content, poses[:, :past], actions[:, : past - 1]), []
        for action in actions[:, past - 1 :].unbind(1):
            state = model.advance(state, action)
            expected.append(state.pose)
        return mse_loss(torch.stack(expected, dim=1), poses[:, past:])

    def _codes(self, images: Tensor, rng: torch.Generator) -> Iterator[Loss]:
        """Of two frames of each video, of which one gives the content and the other the pose."""
        model, recipe = self.model, self.recipe
        rows = torch.arange(len(images), device=images.device)
        first, second = (images[rows, drawn] for drawn in self._pair(images, rng))
        content, pose = model.contents(first), model.poses(second)
        reconstruction = mse_loss(model.paint(content, pose), second)
        similarity = mse_loss(content.code, model.contents(second).code)
        pair = torch.cat([model.poses(first), pose], dim=1)
        clueless = towards("bce", unmoved(model.scenes, pair), 0.5)
        loss = reconstruction + recipe.similarity * similarity + recipe.scene * clueless
        yield loss, [reconstruction.detach(), similarity.detach()]
        scene = self.scene_loss(pair.detach())
        yield scene, [scene.detach()]

    def scene_loss(self, pair: Tensor) -> Tensor:
        """What the discriminator descends, of pairs (B, 2 pose) of one video; others have a pose of the next row."""
        one, other = pair.chunk(2, dim=1)
        return told_apart("bce", self.model.scenes(pair), self.model.scenes(torch.cat([one, other.roll(1, 0)], dim=1)))

    def _pair(self, images: Tensor, rng: torch.Generator) -> Tensor:
        """Two places (2, B) in each window, drawn at random, never the same."""
        rows, length = images.shape[:2]
        first = torch.randint(length, (rows,), generator=rng, device=images.device)
        apart = torch.randint(1, length, (rows,), generator=rng, device=images.device)
        return torch.stack([first, (first + apart) % length])
