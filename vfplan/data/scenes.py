"""Whether two stores show the same scene: what must be equal for frames and actions to mean the same."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any, NamedTuple

from vfplan.data.rounding import six_digits
from vfplan.data.store import EpisodeStore

# What must be equal for frames and actions to mean the same, in the order in which differences are reported.
SCENE = ("id", "renderer", "action_scale", "action_names", "switches", "step_seconds", "camera", "mjcf")
# Settings of an environment that say how long its episodes are and what plans do there, not what they show.
NOT_OF_THE_SCENE = {"name", "length", "hold", "goal_steps"}


class Difference(NamedTuple):
    """What two stores say differently, each in few characters."""

    key: str
    first: str
    other: str


def scene_differences(first: EpisodeStore, other: EpisodeStore) -> Iterator[Difference]:
    """What the frames and actions of two stores show differently.

    Stores of older versions say less; what only one of them says is no difference.
    """
    expected, found = dict(_scene(first)), dict(_scene(other))
    for key in expected:
        if key in found and expected[key] != found[key]:
            yield Difference(key, _short(expected[key]), _short(found[key]))


def version_differences(first: EpisodeStore, other: EpisodeStore) -> Iterator[Difference]:
    """Packages that two stores were made with in different versions, or that only one of them names."""
    before, now = first.meta.versions, other.meta.versions
    for package in sorted({*before, *now}):
        if before.get(package) != now.get(package):
            yield Difference(package, _short(before.get(package)), _short(now.get(package)))


def _scene(store: EpisodeStore) -> Iterator[tuple[str, Any]]:
    about = store.meta.description
    yield "env", store.meta.env
    yield "image_size", store.image_size
    yield "action width", store.action_dim
    config = about.get("config")
    for key, value in config.items() if isinstance(config, dict) else ():
        if key not in NOT_OF_THE_SCENE:
            yield f"env.{key}", value
    for key in SCENE:
        if key in about:
            yield key, six_digits(str(about[key])) if key == "mjcf" else about[key]


def _short(value: Any) -> str:
    return textwrap.shorten(str(value), 60, placeholder="...")
