"""A scripted push: go behind an object and push it towards a point.

It makes goals that are known to be reachable, and data that show objects being pushed a long way.
"""

import numpy as np
from numpy.typing import NDArray

from envs import goals, scene
from envs.push import PushEnv

Action = NDArray[np.float32]
Floats = NDArray[np.float64]

REACHED = 0.02  # m, a point this near counts as visited
CLEARANCE = 0.015  # m between hand and object while going around it


class ScriptedPush:
    """Pushes object `target` of `env` to `goal_xy` (2,) m, as well as a round finger can. `done` says when to stop."""

    def __init__(self, env: PushEnv, target: int, goal_xy: Floats) -> None:
        self.env, self.target, self.goal = env, target, np.asarray(goal_xy, dtype=np.float64)
        self.behind, self.done = False, False
        config = env.config
        self._can_lift = config.hand == "gripper"
        # The gripper pushes closed: open, small objects would slip between its jaws.
        self._reach = scene.FINGER_RADIUS + max(config.half_size)
        self._keep_out = scene.FINGER_RADIUS + config.object_radius + CLEARANCE

    def __call__(self) -> Action:
        """Return the next action (4,)."""
        hand, centre = self.env.hand_xyz[:2], self.env.object_xy[self.target]
        ahead = self.goal - centre
        distance = float(np.hypot(*ahead))
        heading = ahead / max(distance, 1e-9)
        if not self.behind:
            start = centre - heading * (self._keep_out + 0.005)
            if np.hypot(*(start - hand)) < REACHED:
                self.behind = True
            else:
                return self._towards(start if self._can_lift else self._detour(hand, start), lift=1.0)
        self.done = distance < 0.01 or float((hand - centre) @ heading) > 0
        # Aim through the object, a little to the side on which it is drifting away from the line to the goal.
        contact = centre - heading * self._reach
        side = (hand - centre) - heading * float((hand - centre) @ heading)
        return self._towards(contact + heading * min(distance, 0.045) - 0.5 * side, lift=-1.0)

    def _detour(self, hand: Floats, start: Floats) -> Floats:
        """Return a point on the way from `hand` to `start` that keeps clear of the first object in the way."""
        objects, way = self.env.object_xy, start - hand
        along = np.clip((objects - hand) @ way / max(float(way @ way), 1e-12), 0.0, 1.0)
        blocking = np.hypot(*(hand + along[:, None] * way - objects).T) < self._keep_out - 0.004
        if not blocking.any():
            return start
        centre = objects[np.where(blocking, along, np.inf).argmin()]
        radial = hand - centre
        radial = radial / max(float(np.hypot(*radial)), 1e-9)
        tangent = np.array([-radial[1], radial[0]])
        if float(tangent @ (start - hand)) < 0:
            tangent = -tangent
        return np.asarray(centre + self._keep_out * (0.75 * radial + 0.85 * tangent))

    def _towards(self, point: Floats, lift: float) -> Action:
        step = (point - self.env.hand_xyz[:2]) / self.env.config.action_scale
        step = step / max(1.0, float(np.abs(step).max()))
        return np.array([*step, lift, 1.0], dtype=np.float32)


class Scripted:
    """Pushes objects to random places in the bin, 8 to 20 cm away, with noise on every action.

    Its episodes show what a planner does and random ones rarely: one object pushed a long way, and left at its place.
    """

    name = "scripted"

    def __init__(self, noise: float = 0.25, new_goal: float = 0.03) -> None:
        self.noise, self.new_goal = noise, new_goal
        self._push: ScriptedPush | None = None

    def reset(self, rng: np.random.Generator) -> None:
        """Forget the current goal."""
        self._push = None

    def __call__(self, env: PushEnv, rng: np.random.Generator) -> Action:
        """Return the next action of the push, which is towards another place once it ends, and now and then before."""
        if self._push is None or self._push.done or rng.random() < self.new_goal:
            target = int(rng.integers(env.num_objects))
            self._push = ScriptedPush(env, target, goals.place(env.config, env.object_xy, target, rng))
        action = self._push()
        action[:2] += rng.normal(0.0, self.noise, 2)
        return np.clip(action, -1.0, 1.0)
