"""Shards compared with their SHA-256 when one of their episodes is first used, for stores too large to read twice."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from vfplan.data.episode import Episode
from vfplan.data.records import damages
from vfplan.data.store import EpisodeStore
from vfplan.errors import UserError

OnCorrupt = Literal["stop", "skip"]


class FirstTouch:
    """Tells whether an episode of a store is as it was written.

    Args:
        store: of the episodes.
        on_corrupt: what a damaged shard does: end in a UserError that names it, or leave its episodes out.
    """

    def __init__(self, store: EpisodeStore, on_corrupt: OnCorrupt) -> None:
        self.store, self.on_corrupt = store, on_corrupt
        self.found: dict[int, str] = {}
        """What is wrong with each shard that is damaged, by number."""
        self._sound: set[int] = set()

    def __call__(self, index: int) -> bool:
        """Whether episode `index` may be used; reads its shard if none of it was used before."""
        record = self.store.record_of(index)
        if record.shard not in self._sound and record.shard not in self.found:
            damage = next(damages(self.store.path, record), None)
            if damage is None:
                self._sound.add(record.shard)
            elif self.on_corrupt == "stop":
                raise UserError(f"{damage}; see to it: python -m vfplan.data repair data={Path(self.store.path)}")
            else:
                self.found[record.shard] = damage
        return record.shard in self._sound


def sound_episodes(store: EpisodeStore, indices: Iterable[int]) -> Iterator[Episode]:
    """These episodes. Raises UserError at the first of a shard that is not as it was written."""
    check = FirstTouch(store, "stop")
    for index in indices:
        check(index)
        yield store.episode(index)
