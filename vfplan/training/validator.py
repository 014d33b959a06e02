"""What training watches: held-out bits/dim where there are any, rollout error, motion, and a picture of them."""

from __future__ import annotations

import io
from collections.abc import Sequence

import imageio.v3 as imageio
import numpy as np
import torch
from torch import Tensor

from vfplan.data.store import EpisodeStore
from vfplan.errors import UserError
from vfplan.metrics.clips import recorded
from vfplan.metrics.likelihood import bits_per_dim
from vfplan.metrics.motion import Yardstick
from vfplan.metrics.rollout_error import SquaredError, rollout_error
from vfplan.models.base import LikelihoodModel
from vfplan.models.trainable import TrainableModel
from vfplan.pixels import frames_from_unit

HORIZONS = (1, 5, 10)
FOLLOWED = 4  # times as many windows as for the rest: in many of them nothing moves


class Validator:
    """Fixed windows of held-out episodes, the same at every call."""

    def __init__(
        self, store: EpisodeStore, episodes: Sequence[int], past_frames: int, device: torch.device, *, limit: int = 64
    ) -> None:
        lasting, actions = store.lasting(episodes)
        length = min(past_frames + HORIZONS[-1], actions + 1)
        if length < past_frames + 1:
            raise UserError(
                f"{store.path} has held-out episodes of {actions + 1} frames; the model remembers {past_frames}"
            )
        start = (actions + 1 - length) // 2
        self.past_frames = past_frames
        self._windows = store, lasting[: FOLLOWED * limit], slice(start, start + length)
        self._yardstick: Yardstick | None = None
        self.clip, self.device = recorded(store, lasting[:limit], device, slice(start, start + length)), device

    def report(self, model: TrainableModel) -> dict[str, float]:
        """Bits/dim one step ahead; errors relative to copying, of thumbnails and of their colour, at each horizon.

        A model without likelihoods has no bits.
        """
        errors = rollout_error(model, self.clip, downscale=model.coarsest)
        return {
            **(self._bits(model) if isinstance(model, LikelihoodModel) else {}),
            **_at_horizons("error", errors.pixels),
            **_at_horizons("colour_error", errors.colour),
            **self._motion(model),
        }

    def _bits(self, model: LikelihoodModel) -> dict[str, float]:
        rng = torch.Generator(self.device).manual_seed(0)
        bits = bits_per_dim(model, self.clip.until(self.past_frames + 2), rng)
        return {"bits_per_dim": float(bits.per_episode.mean())}

    def _motion(self, model: TrainableModel) -> dict[str, float]:
        """Of objects that move, how much of their displacement is foretold, and the median error in cm."""
        if self._yardstick is None:
            self._yardstick = Yardstick.of(*self._windows, self.past_frames, model.coarsest, self.device)
        if self._yardstick is None:
            return {}
        available = [horizon for horizon in HORIZONS if horizon <= self.clip.actions.shape[1] + 1 - self.past_frames]
        found = self._yardstick.measure(model, available)
        explained = {f"motion_{horizon}": motion.explained for horizon, motion in found.items()}
        return explained | {f"motion_cm_{horizon}": motion.centimetres for horizon, motion in found.items()}

    @torch.inference_mode()
    def picture(self, model: TrainableModel, *, episodes: int = 4) -> bytes:
        """A PNG: per episode a row of true frames over a row imagined from the same actions at temperature 0."""
        past = self.past_frames
        frames, actions = self.clip.frames[:episodes, past:], self.clip.actions[:episodes, past - 1 :]
        state = model.encode(self.clip.context(past)).take(slice(episodes))
        noise = model.sample_noise(len(frames), actions.shape[1], None)
        imagined = frames_from_unit(model.decode(model.rollout(state, actions, noise)))
        rows = [_strip(rows) for pair in zip(frames, imagined, strict=True) for rows in pair]
        buffer = io.BytesIO()
        imageio.imwrite(buffer, np.concatenate(rows), extension=".png")
        return buffer.getvalue()


def _at_horizons(name: str, error: SquaredError) -> dict[str, float]:
    relative = dict(enumerate(error.relative, start=1))
    return {f"{name}_{horizon}": value for horizon in HORIZONS if (value := relative.get(horizon)) is not None}


def _strip(frames: Tensor, enlarge: int = 2) -> np.ndarray:
    """Frames (T, C, Y, X) side by side as one enlarged image (Y', X', C)."""
    row = frames.permute(2, 0, 3, 1).flatten(1, 2).cpu().numpy()
    return row.repeat(enlarge, axis=0).repeat(enlarge, axis=1)
