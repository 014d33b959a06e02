"""Task sets: start states and goals that a scripted push from the same start reached. Files, so that all face the same.

Never teleported: each goal state lies on a trajectory, whose actions are stored with it. States are stored rather than
seeds because another MuJoCo version simulates the same seed differently.

    python -m envs.tasks push benchmark --out push_benchmark.npz
"""

import argparse
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import envs
from envs import scene
from envs.base import SPLITS
from envs.demands import IN_SIGHT, demands, share_in_sight
from envs.policies import Rng
from envs.push import PushEnv
from envs.script import ScriptedPush
from envs.task_set import TaskSet, seed_of, write

WALL_GAP = 0.04  # m
MAX_ACTIONS = 30


def generate(name: str, split: str, num: int | None = None) -> TaskSet:
    """Make the tasks of a split anew; on the MuJoCo version that made the shipped file, they are the same."""
    if split not in SPLITS:
        raise ValueError(f"no split {split!r}; there are {', '.join(SPLITS)}")
    default, seed = SPLITS[split]
    env = envs.make(name)
    tasks: list[dict[str, Any]] = []
    attempt = 0
    while len(tasks) < (num or default):
        task = _attempt(env, np.random.default_rng([seed, attempt]))
        attempt += 1
        if task is not None:
            tasks.append(task)
        elif attempt > 1000 * (len(tasks) + 1):
            raise ValueError(f"scripted pushes do not succeed in {name}: {len(tasks)} of {attempt} attempts")
    env.close()
    stacked: dict[str, Any] = {key: np.stack([task[key] for task in tasks]) for key in tasks[0]}
    about = env.description()
    return TaskSet(name=name, split=split, mujoco=about["mujoco"], renderer=about["renderer"], **stacked)


def _attempt(env: PushEnv, rng: Rng) -> dict[str, Any] | None:
    """Push a random object to a random point; return the task, or None if the outcome is no good task."""
    wanted = demands(env.config.name)
    observation, info = env.reset(seed=int(rng.integers(2**63)))
    start_state, start_xy = env.get_state(), info["object_xy"]
    for _ in range(wanted.draws):
        target = int(rng.integers(env.num_objects))
        angle, distance = rng.uniform(-np.pi, np.pi), rng.uniform(*wanted.moved)
        aim = start_xy[target] + distance * np.array([np.cos(angle), np.sin(angle)])
        if np.abs(aim).max() <= _limit(env) and wanted.ask(env.config, env.hand_xyz[:2], start_xy, target, aim):
            break
    else:
        return None
    env.reset(seed=seed_of(start_state), options={"state": start_state})
    push = ScriptedPush(env, target, aim)
    actions: list[NDArray[np.float32]] = []
    states = [start_state]
    while len(actions) < MAX_ACTIONS:
        action = push()
        if push.done:
            break
        actions.append(action)
        goal_image = env.step(action)[0]["image"]
        states.append(env.get_state())
    moved = np.hypot(*(env.object_xy - start_xy).T)
    least, most = wanted.moved
    if not least <= moved[target] <= most or np.delete(moved, target).max(initial=0.0) > wanted.others_moved:
        return None
    if np.abs(env.object_xy).max() > _limit(env) or not _hidden_on_the_way(env, states, wanted.hidden):
        return None
    return {
        "start_state": start_state,
        "goal_state": env.get_state(),
        "actions": np.concatenate([actions, np.zeros((MAX_ACTIONS - len(actions), 4), np.float32)]).astype(np.float32),
        "num_actions": np.int32(len(actions)),
        "start_image": observation["image"],
        "goal_image": goal_image,
        "goal_image_without_hand": env.render(hand_visible=False),
        "start_xy": start_xy,
        "goal_xy": env.object_xy,
        "target": np.int32(target),
    }


def _hidden_on_the_way(env: PushEnv, states: list[NDArray[np.float64]], frames: int) -> bool:
    """Return whether the object is in sight at both ends and out of all sight in so many frames between them."""
    if frames == 0:
        return True
    share = share_in_sight(env.config, np.stack(states))
    return bool(min(share[0], share[-1]) >= IN_SIGHT and (share == 0).sum() >= frames)


def _limit(env: PushEnv) -> float:
    """Return how far (m) an object's centre may be from the bin's middle: a hand fits between it and the wall."""
    return scene.BIN_HALF - WALL_GAP - max(env.config.half_size)


def main() -> None:
    """Generate a task set and write it to a file."""
    parser = argparse.ArgumentParser(description="Generate a task set.")
    parser.add_argument("name", choices=envs.NAMES)
    parser.add_argument("split", choices=tuple(SPLITS))
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    write(generate(options.name, options.split), options.out)
    print(f"{hashlib.sha256(options.out.read_bytes()).hexdigest()}  {options.out.name}")


if __name__ == "__main__":
    main()
