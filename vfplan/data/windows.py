"""Training windows: batches of short clips drawn from a store, each a pure function of (seed, step)."""

from typing import NamedTuple

import numpy as np

from vfplan.data.store import EpisodeStore
from vfplan.errors import UserError


class Windows(NamedTuple):
    """A batch of clips, contiguous in memory: `torch.from_numpy` shares it.

    frames: (B, length, C, Y, X) uint8. actions: (B, length-1, A) float32; action t leads from frame t to t+1.
    hand: (B, length, 3) float32, m; (B, length, 0) where there is none.
    """

    frames: np.ndarray
    actions: np.ndarray
    hand: np.ndarray


class WindowSampler:
    """Draws clips of `length` frames, uniformly over episodes and starts.

    A clip may begin up to `lead_in` frames before its episode: there the first frame stands still under zero actions.
    It has no state: batch `step` is the same whatever was drawn before, so a resumed training sees the same data.
    """

    def __init__(
        self, store: EpisodeStore, length: int, seed: int, episodes: range | None = None, *, lead_in: int = 0
    ) -> None:
        if not 1 <= length <= store.meta.length + 1:
            raise UserError(f"windows of {length} frames, but {store.path} has episodes of {store.meta.length + 1}")
        self.length = length
        self._store = store
        self._seed = seed
        self._lead_in = lead_in
        self._episodes = range(len(store)) if episodes is None else episodes
        if not self._episodes:
            raise UserError(f"no episodes of {store.path} to draw windows from")

    def batch(self, step: int, size: int) -> Windows:
        """The `size` clips of `step`."""
        return self.draw(np.random.default_rng((self._seed, step)), size)

    def draw(self, rng: np.random.Generator, size: int) -> Windows:
        """The next `size` clips (0 for none) that `rng` chooses."""
        episodes, starts = self.choose(rng, size)
        arrays, row = self._store.locate(self._episodes[0])
        frames = np.empty((size, self.length, *arrays["frames"].shape[2:]), np.uint8)
        actions = np.empty((size, self.length - 1, arrays["actions"].shape[2]), np.float32)
        hand = np.empty((size, self.length, arrays["hand"].shape[2]), np.float32)
        for i, (episode, start) in enumerate(zip(episodes, starts, strict=True)):
            arrays, row = self._store.locate(episode)
            before, first = max(0, -start), max(0, start)
            frames[i, before:] = arrays["frames"][row, first : start + self.length]
            actions[i, before:] = arrays["actions"][row, first : start + self.length - 1]
            hand[i, before:] = arrays["hand"][row, first : start + self.length]
            frames[i, :before], actions[i, :before], hand[i, :before] = frames[i, before], 0, hand[i, before]
        return Windows(_channels_first(frames), actions, hand)

    def choose(self, rng: np.random.Generator, size: int) -> tuple[list[int], list[int]]:
        """The episodes of the next `size` clips, and the frames that they start at."""
        picks = rng.integers(len(self._episodes), size=size).tolist()
        starts = rng.integers(-self._lead_in, self._store.meta.length + 2 - self.length, size=size).tolist()
        return [self._episodes[pick] for pick in picks], starts


def _channels_first(frames: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(frames, -1, -3))
