"""Episodes of a store as tensors: what models are measured on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from vfplan.data.store import EpisodeStore
from vfplan.data.windows import Windows
from vfplan.models.base import Clip


def recorded(
    store: EpisodeStore, episodes: Sequence[int], device: torch.device | str, window: slice | None = None
) -> Clip:
    """The frames `window` (default: all) of episodes of a store, with the actions between them."""
    chosen, window = [store.episode(index) for index in episodes], window or slice(0, store.meta.length + 1)
    frames = np.stack([episode.frames[window] for episode in chosen])
    actions = np.stack([episode.actions[window.start : window.stop - 1] for episode in chosen])
    hand = np.stack([episode.hand[window] for episode in chosen])
    return clip_of(Windows(np.ascontiguousarray(np.moveaxis(frames, -1, -3)), actions, hand), device)


def clip_of(windows: Windows, device: torch.device | str) -> Clip:
    """Windows of a store as tensors; a hand without coordinates is none."""
    frames, actions, hand = (torch.from_numpy(array).to(device) for array in windows)
    return Clip(frames, actions, hand[..., :2] if hand.shape[-1] else None)
