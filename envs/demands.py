"""What a scripted push must have done to become a task: how far, past what, and whether out of sight."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from envs import scene
from envs.scene import PushConfig
from envs.simulator import BatchSimulator

Floats = NDArray[np.float64]

COLOURED = 24  # chroma from which a pixel counts as an object's; all else is exactly grey
IN_SIGHT = 0.9  # share of an object's pixels that must be seen for it to count as in sight


@dataclass(frozen=True)
class Demands:
    """Distances in m; `hidden` counts the frames on the way in which nothing at all is seen of the target.

    With `hidden` above 0 the target is in sight at both ends. With `obstructed`, another object lies in the straight
    way of the hand to its place behind the target. `draws` is how many pushes are considered from each start.
    """

    moved: tuple[float, float] = (0.10, 0.20)
    others_moved: float = 0.01
    hidden: int = 0
    obstructed: bool = False
    draws: int = 1

    def ask(self, config: PushConfig, hand: Floats, object_xy: Floats, target: int, goal: Floats) -> bool:
        """Return whether pushing object `target` of (O, 2) to `goal` (2,) can be such a task, with the hand at (2,)."""
        if self.hidden and not passes_beneath(config, object_xy[target], goal):
            return False
        return not self.obstructed or is_obstructed(config, hand, object_xy, target, goal)


DEMANDS = {
    "push_occluded": Demands(moved=(0.16, 0.26), hidden=2, draws=50),
    "push_clutter": Demands(others_moved=0.001, obstructed=True, draws=50),
}


def demands(name: str) -> Demands:
    """Return what the tasks of environment `name` demand."""
    return DEMANDS.get(name, Demands())


def share_in_sight(config: PushConfig, states: ArrayLike) -> Floats:
    """Return the share (B,) of the objects' pixels that the roof leaves in sight in states (B, S), without the hand."""
    seen, whole = (
        _coloured(BatchSimulator(each, num_threads=1).render(states, hand_visible=False))
        for each in (config, replace(config, roof=None))
    )
    return np.asarray(seen / np.maximum(whole, 1))


def passes_beneath(config: PushConfig, start: Floats, goal: Floats) -> bool:
    """Return whether the way between two points (2,) m leads from one side of the roof to the other."""
    edge = (config.roof or 0.0) / 2 + max(config.half_size) / 2
    return bool(min(abs(start[0]), abs(goal[0])) > edge and start[0] * goal[0] < 0)


def is_obstructed(config: PushConfig, hand: Floats, object_xy: Floats, target: int, goal: Floats) -> bool:
    """Return whether the hand (2,) has to go around one of `object_xy` (O, 2) to push `target` to `goal` (2,) m.

    The way of the target itself, and the place behind it, are to be free of the others.
    """
    start, others = object_xy[target], np.delete(object_xy, target, axis=0)
    heading = (goal - start) / max(float(np.hypot(*(goal - start))), 1e-9)
    reach = scene.FINGER_RADIUS + config.object_radius
    behind = start - heading * reach
    if distance_to_way(others, start, goal).min(initial=1.0) < 2 * config.object_radius:
        return False
    if np.hypot(*(others - behind).T).min(initial=1.0) < reach:
        return False
    return bool(distance_to_way(others, hand, behind).min(initial=1.0) < scene.FINGER_RADIUS + min(config.half_size))


def distance_to_way(points: Floats, start: Floats, end: Floats) -> Floats:
    """Return the distances (K,) of points (K, 2) from the straight way between two points (2,)."""
    way = end - start
    along = np.clip((points - start) @ way / max(float(way @ way), 1e-12), 0.0, 1.0)
    return np.asarray(np.hypot(*(start + along[:, None] * way - points).T))


def _coloured(frames: NDArray[np.uint8]) -> Floats:
    return np.asarray((np.ptp(frames.astype(np.int16), axis=-1) >= COLOURED).sum(axis=(1, 2)), dtype=np.float64)
