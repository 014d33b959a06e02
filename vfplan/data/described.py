"""What the description of a store says, where it says it: a stranger's may hold anything."""

from __future__ import annotations

from vfplan.data.store import EpisodeStore
from vfplan.errors import said


def seconds_per_step(store: EpisodeStore) -> float | None:
    """How long an action takes; None where a store does not say."""
    seconds = store.meta.description.get("step_seconds")
    return float(seconds) if isinstance(seconds, int | float) and 1e-3 <= seconds <= 1e3 else None


def action_names(store: EpisodeStore) -> list[str]:
    """What the components of an action are called."""
    names = store.meta.description.get("action_names")
    if isinstance(names, list) and len(names) == store.action_dim:
        return [said(str(name)) for name in names]
    return [f"{index}" for index in range(store.action_dim)]
