"""What the offline tests work with: a model, held-out episodes, and what several tests need, computed once."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vfplan.data.store import EpisodeStore
from vfplan.errors import UserError
from vfplan.metrics.clips import recorded
from vfplan.metrics.localisation import Colour, Locator, held
from vfplan.models.base import Clip, Context, LikelihoodModel, WorldModel
from vfplan.output.progress import Bar
from vfplan.pixels import frames_from_unit
from vfplan.studies.offline.settings import Settings

MARKS = (1, 2, 5, 10, 20, 50, 100)


class NotApplicableError(Exception):
    """A test cannot be made with this model or store; the message says why and is shown in place of the result."""


@dataclass(frozen=True)
class HeldOut:
    """Chosen episodes of a store as tensors; frames are read when asked for. N episodes, T actions each."""

    store: EpisodeStore
    chosen: Sequence[int]
    action_dim: int
    """Width A of the actions that the model takes: the store's, or 0."""
    device: torch.device
    length: int
    """T; what goes beyond it is left out."""

    def __len__(self) -> int:
        return len(self.chosen)

    def clip(self, rows: slice = slice(None)) -> Clip:
        """The chosen rows, with the actions that the model takes."""
        clip = recorded(self.store, self.chosen[rows], self.device, slice(0, self.length + 1))
        return replace(clip, actions=clip.actions[..., : self.action_dim])

    @cached_property
    def actions(self) -> Tensor:
        """(N, T, A)."""
        stacked = np.stack([self.store.episode(index).actions[: self.length] for index in self.chosen])
        return torch.from_numpy(stacked)[..., : self.action_dim].to(self.device)

    @cached_property
    def object_xy(self) -> NDArray[np.float64]:
        """(N, T + 1, O, 2) m."""
        chosen = [self.store.episode(index).object_xy[: self.length + 1] for index in self.chosen]
        return np.stack(chosen).astype(np.float64)

    def first(self, count: int) -> HeldOut:
        """The first `count` of them, or all if there are fewer."""
        return replace(self, chosen=self.chosen[:count])


class Trial:
    """A model and the held-out episodes it is tested on. N sampled episodes, K samples, P past frames, T future steps.

    Raises:
        UserError: if the episodes are too short for the model.
    """

    def __init__(self, model: WorldModel, held_out: HeldOut, settings: Settings) -> None:
        self.model = model
        self.held_out = held_out
        self.settings = settings
        self.past = model.past_frames
        self.steps = held_out.length + 1 - self.past
        if self.steps < 1:
            length = held_out.length + 1
            raise UserError(f"{held_out.store.path} has episodes of {length} frames; the model remembers {self.past}")

    @property
    def scored_by(self) -> LikelihoodModel:
        """The model. Raises NotApplicableError if it gives no likelihoods."""
        if not isinstance(self.model, LikelihoodModel):
            raise NotApplicableError(f"{type(self.model).__name__} gives no likelihoods: it has no log_prob")
        return self.model

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.held_out.device

    def horizons(self, steps: int = 0) -> list[int]:
        """The steps that tables show: 1, 2, 5, 10, ... and the last of `steps` (0: of the episode)."""
        last = steps or self.steps
        return [*(mark for mark in MARKS if mark < last), last]

    def torch_rng(self, name: str) -> torch.Generator:
        """A generator of the test `name`, on the model's device: no test changes the noise of another."""
        return torch.Generator(self.device).manual_seed(self.settings.seed + zlib.crc32(name.encode()))

    def numpy_rng(self, name: str) -> np.random.Generator:
        """As `torch_rng`, for numpy."""
        return np.random.default_rng((self.settings.seed, zlib.crc32(name.encode())))

    def batches(self, episodes: HeldOut, name: str, *, copies: int = 1) -> Iterator[tuple[slice, Clip]]:
        """Rows of `episodes` and what they show, so many at once that `copies` of each are about a batch."""
        size = max(1, self.settings.batch // copies)
        with Bar(total=len(episodes), desc=name, unit="episode", leave=False) as bar:
            for start in range(0, len(episodes), size):
                rows = slice(start, min(start + size, len(episodes)))
                yield rows, episodes.clip(rows)
                bar.update(rows.stop - rows.start)

    def split(self, clip: Clip) -> tuple[Context, Tensor]:
        """The first P frames of a clip, and the actions (B, T, A) that follow."""
        return clip.context(self.past), clip.actions[:, self.past - 1 :]

    @torch.inference_mode()
    def imagine(
        self,
        context: Context,
        actions: Tensor,
        rng: torch.Generator | None,
        *,
        copies: int = 1,
        temperature: float = 1.0,
    ) -> Tensor:
        """Frames (B, K, T, C, Y, X) uint8 on the CPU that follow the context under actions (B, T, A).

        Without a generator the temperature is 0.
        """
        future = actions.repeat_interleave(copies, dim=0)
        state = self.model.encode(context).repeat(copies)
        noise = self.model.sample_noise(len(future), future.shape[1], rng)
        images = self.model.decode(self.model.rollout(state, future, noise.scaled(temperature)))
        return frames_from_unit(images).unflatten(0, (len(actions), copies)).cpu()

    @cached_property
    def sampled(self) -> HeldOut:
        """The N episodes for which rollouts are sampled."""
        return self.held_out.first(self.settings.sample_episodes or len(self.held_out))

    @cached_property
    def true(self) -> Tensor:
        """All frames (N, P + T, C, Y, X) uint8 of the sampled episodes, on the CPU."""
        return self.sampled.clip().frames.cpu()

    @cached_property
    def samples(self) -> Tensor:
        """Sampled rollouts (N, K, T, C, Y, X) uint8, on the CPU."""
        copies, rng = self.settings.rollout_samples, self.torch_rng("samples")
        batches = self.batches(self.sampled, "sampled rollouts", copies=copies)
        return torch.cat([self.imagine(*self.split(clip), rng, copies=copies) for _, clip in batches])

    @cached_property
    def expected(self) -> Tensor:
        """Temperature-0 rollouts (N, T, C, Y, X) uint8, on the CPU."""
        batches = self.batches(self.sampled, "expected rollouts")
        return torch.cat([self.imagine(*self.split(clip), None)[:, 0] for _, clip in batches])

    @cached_property
    def colour(self) -> Colour | None:
        """What counts as coloured in this store; None if it is grey."""
        return Colour.of(self.true[:64])

    @cached_property
    def locator(self) -> Locator:
        """Finds the store's one object in frames.

        Raises:
            NotApplicableError: if the store has not exactly one object with poses, a floor homography and colour.
        """
        objects = self.sampled.object_xy.shape[2]
        homography = np.asarray(self.held_out.store.meta.description.get("floor_to_pixel", ()), dtype=np.float64)
        if objects != 1:
            raise NotApplicableError(f"the store has poses of {objects} objects; a position needs exactly one")
        if homography.shape != (3, 3):
            raise NotApplicableError(
                "the store's description has no floor_to_pixel, the homography from floor to image"
            )
        if self.colour is None:
            raise NotApplicableError("the frames carry no colour by which to find the object")
        return Locator.fit(self.colour, self.true, self.sampled.object_xy[:, :, 0], homography)

    @cached_property
    def known_positions(self) -> NDArray[np.float64]:
        """Where the object is last seen in the known frames, (N, 2) m; NaN if it is in none of them."""
        return held(self.locator.locate(self.true[:, : self.past])[0])[:, -1]

    @cached_property
    def sample_positions(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """`follow` of the sampled rollouts: (N, K, T, 2) m and (N, K, T)."""
        parts = [self.follow(clips, start) for clips, start in zip(self.samples, self.known_positions, strict=True)]
        return np.stack([part[0] for part in parts]), np.stack([part[1] for part in parts])

    def follow(self, clips: Tensor, start: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The object's path (..., T, 2) m in clips (..., T, C, Y, X) uint8 from `start`, and its mass (..., T).

        Where a frame shows no object it stays where it was last seen: a model that loses it is charged for that.
        """
        found, mass = self.locator.locate(clips)
        first = np.broadcast_to(start, found[..., 0, :].shape)
        return held(np.concatenate([first[..., None, :], found], axis=-2))[..., 1:, :], mass
