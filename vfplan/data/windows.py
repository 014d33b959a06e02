"""Training windows: batches of short clips drawn from a store, each a pure function of (seed, step)."""

from collections.abc import Callable
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
    """Draws clips of `length` frames, uniformly over episodes and starts; where episodes differ in length, over clips.

    A clip may begin up to `lead_in` frames before its episode: there the first frame stands still under zero actions.
    It has no state: batch `step` is the same whatever was drawn before, so a resumed training sees the same data. An
    episode that is not `sound` is replaced by the next one that is.

    Raises:
        UserError: if there are no episodes, or none that is long enough.
    """

    def __init__(
        self,
        store: EpisodeStore,
        length: int,
        seed: int,
        episodes: range | None = None,
        *,
        lead_in: int = 0,
        sound: Callable[[int], bool] = lambda index: True,
    ) -> None:
        chosen = range(len(store)) if episodes is None else episodes
        if not chosen:
            raise UserError(f"no episodes of {store.path} to draw windows from")
        starts = np.maximum(store.lengths[list(chosen)] + 2 - length, 0)  # in each
        longest = int(store.lengths[list(chosen)].max()) + 1
        if not 1 <= length <= longest:
            raise UserError(f"windows of {length} frames, but {store.path} has episodes of {longest}")
        self.length, self.sound = length, sound
        self._store, self._seed, self._lead_in = store, seed, lead_in
        self._episodes = [index for index, count in zip(chosen, starts, strict=True) if count]
        self._clips = starts[starts > 0] + lead_in

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
        if (self._clips == self._clips[0]).all():
            picks = rng.integers(len(self._episodes), size=size)
            clips = rng.integers(0, self._clips[0], size=size)
        else:
            ends = np.cumsum(self._clips)
            drawn = rng.integers(ends[-1], size=size)
            picks = np.searchsorted(ends, drawn, side="right")
            clips = drawn - (ends - self._clips)[picks]
        found = [self._sound_from(int(pick), int(clip)) for pick, clip in zip(picks, clips, strict=True)]
        return [self._episodes[pick] for pick, _ in found], [clip - self._lead_in for _, clip in found]

    def _sound_from(self, pick: int, clip: int) -> tuple[int, int]:
        """The first sound episode from the one picked on, and the clip of it."""
        count = len(self._episodes)
        for place in (*range(pick, count), *range(pick)):
            if self.sound(self._episodes[place]):
                return place, min(clip, int(self._clips[place]) - 1)
        raise UserError(f"all shards of {self._store.path} that windows come from are damaged")


def _channels_first(frames: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(frames, -1, -3))
