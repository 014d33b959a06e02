"""Tasks in any Gymnasium environment: a seed, actions, and the goal image that these actions led to from that start.

Nothing is stored and nothing is teleported: task i of a split is drawn from (seed of the split, i) and so is the same
wherever the environment and its drawing are the same, which `GymTasks.sha256` tells.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs import pusht
from envs.gym_env import GymConfig, GymEnv
from envs.policies import Smooth
from envs.tasks import SPLITS

Bytes = NDArray[np.uint8]

MAX_DRAWS = 200
CHANGED = 24  # levels of some channel by which a pixel differs visibly
LEAST_CHANGE = 0.005  # share of the pixels in which start and goal image of a task differ at least


@dataclass(frozen=True)
class GymTasks:
    """N tasks. Letters: N task, L = goal_steps actions, A action, Y row, X column."""

    config: GymConfig
    seeds: tuple[int, ...]  # of reset
    actions: NDArray[np.float32]  # (N, L, A)
    start_image: Bytes  # (N, Y, X, 3)
    goal_image: Bytes  # (N, Y, X, 3)
    start_info: tuple[dict[str, Any], ...]
    goal_info: tuple[dict[str, Any], ...]

    def __len__(self) -> int:
        return len(self.seeds)

    @property
    def sha256(self) -> str:
        """Over the configuration, seeds, actions and images: equal hashes, equal tasks."""
        text = json.dumps([asdict(self.config), self.seeds], sort_keys=True)
        arrays = (self.actions, self.start_image, self.goal_image)
        return hashlib.sha256(text.encode() + b"".join(array.tobytes() for array in arrays)).hexdigest()


def generate(config: GymConfig, split: str, num: int = 0) -> GymTasks:
    """Make the first `num` (0: all) tasks of a split, benchmark or dev.

    Raises:
        ValueError: for more tasks than the split has, or where random actions change hardly anything.
    """
    most = SPLITS[split][0]
    if num > most:
        raise ValueError(f"num_tasks={num}, but {config.name} {split} has {most} tasks")
    env = GymEnv(config)
    try:
        rows = [_task(env, split, index) for index in range(num or most)]
    finally:
        env.close()
    seeds, actions, starts, goals, start_infos, goal_infos = zip(*rows, strict=True)
    return GymTasks(config, seeds, np.stack(actions), np.stack(starts), np.stack(goals), start_infos, goal_infos)


def image_distance(frames: Bytes, goal: Bytes) -> NDArray[np.float64]:
    """Return the root mean square differences (...) of frames (..., Y, X, 3) from goal (Y, X, 3), 1 being the range."""
    difference = (frames.astype(np.float64) - goal) / 255.0
    return np.asarray(np.sqrt(np.square(difference).mean(axis=(-3, -2, -1))))


def measure(tasks: GymTasks, index: int, frames: Bytes, infos: list[dict[str, Any]]) -> dict[str, float]:
    """Return what became of a task, from its frames (T + 1, Y, X, 3) and the info after each of T actions.

    In general: the image distance from the goal, relative to the start's, at the end and at its smallest, and the
    summed reward. In Push-T also the pose error of the block, and how much of its place in the goal image it covers.
    """
    distance = image_distance(frames, tasks.goal_image[index])
    relative = distance / distance[0]
    found = {
        "final": float(relative[-1]),
        "closest": float(relative[1:].min()),
        "reward": float(sum(info["reward"] for info in infos)),
    }
    if "block_pose" in infos[-1]:
        found |= pusht.pose_error(infos[-1]["block_pose"], tasks.goal_info[index]["block_pose"])
    return found


def is_solved(found: dict[str, float]) -> bool:
    """Return whether what `measure` found is success: half of the image distance left, in Push-T a small pose error."""
    return pusht.is_solved(found) if "block_px" in found else found["final"] < 0.5


def _task(env: GymEnv, split: str, index: int) -> tuple[Any, ...]:
    """Act at random until the goal differs from the start."""
    for attempt in range(MAX_DRAWS):
        rng, policy = np.random.default_rng([SPLITS[split][1], index, attempt]), Smooth()
        seed = int(rng.integers(2**31))
        observation, start_info = env.reset(seed=seed)
        policy.reset(rng)
        start, ended = observation["image"], False
        actions: list[NDArray[np.float32]] = []
        while len(actions) < env.config.goal_steps and not ended:
            actions.append(policy(env, rng))
            observation, _, ended, _, info = env.step(actions[-1])
        if not ended and _differ(start, observation["image"], start_info, info):
            return seed, np.stack(actions), start, observation["image"], start_info, info
    raise ValueError(
        f"env.id={env.config.uses}: {env.config.goal_steps} random actions change the image too little, or end the "
        f"episode, in {MAX_DRAWS} attempts; set env.goal_steps"
    )


def _differ(start: Bytes, goal: Bytes, start_info: dict[str, Any], goal_info: dict[str, Any]) -> bool:
    """Return whether a task is none that its start solves."""
    if "block_pose" in goal_info:
        return not pusht.is_solved(pusht.pose_error(start_info["block_pose"], goal_info["block_pose"]))
    changed = (np.abs(start.astype(np.int16) - goal) >= CHANGED).any(axis=-1)
    return float(changed.mean()) >= LEAST_CHANGE
