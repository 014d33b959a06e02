"""Task sets: start states and goals that a scripted push from the same start reached. Files, so that all face the same.

Never teleported: each goal state lies on a trajectory, whose actions are stored with it. States are stored rather than
seeds because another MuJoCo version simulates the same seed differently.

What an environment draws after the start (wind) comes from `seed_of(start_state)`, both when the goal is
made and when the task is run: every planner meets the same gusts at the same step of the same task, and the stored
actions lead to the goal. No planner sees the seed: a state says nothing about gusts to come.

    python -m envs.tasks push benchmark --out push_benchmark.npz
"""

import argparse
import hashlib
import zipfile
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import envs
from envs import scene
from envs.demands import IN_SIGHT, demands, share_in_sight
from envs.policies import Rng
from envs.push import PushEnv
from envs.script import ScriptedPush

FOLDER = Path(__file__).parent / "task_sets"
# How many tasks a set has and the seed of its random stream. Data sets draw from [seed, index] with seed < 2**31, so
# neither set can share a start with training data.
SPLITS = {"benchmark": (200, 2**31 + 11), "dev": (50, 2**31 + 22)}
WALL_GAP = 0.04  # m
MAX_ACTIONS = 30


@dataclass(frozen=True)
class TaskSet:
    """Tasks of one environment. Letters: N task, S state, L = 30 actions, O object, Y row, X column."""

    name: str
    split: str
    start_state: NDArray[np.float64]  # (N, S)
    goal_state: NDArray[np.float64]  # (N, S)
    actions: NDArray[np.float32]  # (N, L, 4), zero after `num_actions`
    num_actions: NDArray[np.int32]  # (N,)
    start_image: NDArray[np.uint8]  # (N, Y, X, 3)
    goal_image: NDArray[np.uint8]  # (N, Y, X, 3), with the hand where the push left it
    goal_image_without_hand: NDArray[np.uint8]  # (N, Y, X, 3)
    start_xy: NDArray[np.float64]  # (N, O, 2) m
    goal_xy: NDArray[np.float64]  # (N, O, 2) m
    target: NDArray[np.int32]  # (N,), which object was pushed
    mujoco: str
    renderer: str
    sha256: str = ""  # of the file it was loaded from

    def __len__(self) -> int:
        return len(self.target)

    @property
    def seeds(self) -> list[int]:
        """What to reset the environment of each task with, for the chance it meets on the way."""
        return [seed_of(state) for state in self.start_state]

    def select(self, tasks: range) -> "TaskSet":
        """The chosen tasks; the SHA-256 stays that of the whole file."""
        chosen = np.array(tasks, dtype=np.int64)
        arrays = {key: value[chosen] for key, value in vars(self).items() if isinstance(value, np.ndarray)}
        return replace(self, **arrays)  # type: ignore[arg-type]


def seed_of(start_state: NDArray[np.float64]) -> int:
    """Return the seed of what chance adds to a task that starts in this state (S,): 63 bits of the state's SHA-256."""
    return int.from_bytes(hashlib.sha256(start_state.tobytes()).digest()[:8], "little") >> 1


def load(name: str, split: str) -> TaskSet:
    """Return the task set shipped for environment `name` and split benchmark or dev, checked against its SHA-256."""
    path = FOLDER / f"{name}_{split}.npz"
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in FOLDER.glob("*.npz")))
        raise ValueError(f"no task set {name}_{split}; there are {known}")
    task_set = read(path)
    lines = (FOLDER / "SHA256SUMS").read_text().splitlines()
    expected = {file: digest for digest, file in (line.split() for line in lines)}.get(path.name)
    if expected != task_set.sha256:
        raise ValueError(f"{path} is damaged or edited: its SHA-256 is {task_set.sha256}, not {expected}")
    return task_set


def read(path: Path) -> TaskSet:
    """Return the task set in a file that `write` made."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with np.load(path, allow_pickle=False) as arrays:
        values: dict[str, Any] = {key: arrays[key] for key in arrays.files}
    expected = {field.name for field in fields(TaskSet)} - {"sha256"}
    if set(values) != expected:
        raise ValueError(f"{path} is no task set: it should hold {sorted(expected)}, it holds {sorted(values)}")
    for key in ("name", "split", "mujoco", "renderer"):
        values[key] = str(values[key])
    return TaskSet(**values, sha256=digest)


def write(task_set: TaskSet, path: Path) -> None:
    """Write a task set; equal sets make equal files."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for field in fields(task_set):
            if field.name != "sha256":
                entry = zipfile.ZipInfo(f"{field.name}.npy")  # a fixed date
                entry.compress_type = zipfile.ZIP_DEFLATED
                with archive.open(entry, "w") as file:
                    np.lib.format.write_array(file, np.asarray(getattr(task_set, field.name)), allow_pickle=False)


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
