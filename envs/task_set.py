"""Task sets of the pushing environments: stored starts and goals, checked by their SHA-256, and what success is.

What an environment draws after the start (wind) comes from `seed_of(start_state)`, both when the goal is made and when
the task is run: every planner meets the same gusts at the same step of the same task, and the stored actions lead to
the goal. No planner sees the seed: a state says nothing about gusts to come.
"""

import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from envs.base import Env, Infos, Outcome, Share, Summary, Tasks
from envs.push import PushEnv
from envs.scene import PRESETS, PushConfig

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]

FOLDER = Path(__file__).parent / "task_sets"
SOLVED_CM = 5.0  # the distance that the primary measure, success at the end, is judged by
THRESHOLDS_CM = (5, 3)
NOT_STORED = {"sha256", "config"}


@dataclass(frozen=True)
class PushOutcome(Outcome):
    """Distances of the target object from its goal, in cm."""

    start_cm: float
    final_cm: float
    """At the end of the episode: what success is judged by."""
    closest_cm: float
    """Smallest distance after any action."""
    solved_5cm: bool
    solved_3cm: bool

    def line(self) -> str:
        """What is printed of it."""
        marks = ", ".join(
            f"{'within' if solved else 'not within'} {limit} cm"
            for limit, solved in zip(THRESHOLDS_CM, (self.solved_5cm, self.solved_3cm), strict=True)
        )
        return f"{self.start_cm:5.1f} cm from the goal -> {self.final_cm:5.1f} cm  ({marks})"


@dataclass(frozen=True)
class TaskSet(Tasks[PushOutcome]):
    """Tasks of one preset. Letters: N task, S state, L = 30 actions, O object, Y row, X column."""

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
    config: PushConfig | None = None  # of the environment that they are run in; None for the preset itself

    def __len__(self) -> int:
        return len(self.target)

    @property
    def seeds(self) -> list[int]:
        """What to reset the environment of each task with, for the chance it meets on the way."""
        return [seed_of(state) for state in self.start_state]

    def select(self, tasks: range) -> Self:
        """The chosen tasks; the SHA-256 stays that of the whole file."""
        chosen = np.array(tasks, dtype=np.int64)
        arrays = {key: value[chosen] for key, value in vars(self).items() if isinstance(value, np.ndarray)}
        return replace(self, **arrays)  # type: ignore[arg-type]

    def start(self) -> tuple[list[Env], list[dict[str, Any]]]:
        """An environment for each task, in its start state, and what it shows there; the seed decides about chance."""
        environments: list[Env] = [PushEnv(self.config or PRESETS[self.name]) for _ in self.seeds]
        observations = [
            environment.reset(seed=seed, options={"state": state})[0]
            for environment, seed, state in zip(environments, self.seeds, self.start_state, strict=True)
        ]
        return environments, observations

    def goals(self, *, hand: bool) -> Bytes:
        """The goal images (N, Y, X, C), with the hand where the push left it or without any.

        They are the stored ones, or drawn from the goal states for an environment of another image size.
        """
        stored = self.goal_image if hand else self.goal_image_without_hand
        if self.config is None or self.config.image_size == stored.shape[1]:
            return stored
        shell, drawn = PushEnv(self.config), []
        for state in self.goal_state:
            shell.set_state(state)
            drawn.append(shell.render(hand_visible=hand))
        return np.stack(drawn)

    def distances_cm(self, infos: Sequence[Infos]) -> Floats:
        """How far the target objects were from their goals, (N, T + 1) cm: at the start, and after each action."""
        rows = []
        for index, steps in enumerate(infos):
            target = self.target[index]
            path = np.array([self.start_xy[index, target], *(info["object_xy"][target] for info in steps)])
            rows.append(100.0 * np.linalg.norm(path - self.goal_xy[index, target], axis=1))
        return np.stack(rows)

    def outcomes(self, frames: Bytes, infos: Sequence[Infos]) -> list[PushOutcome]:
        """What became of each task, from the info after each of T actions."""
        found = []
        for distances in self.distances_cm(infos):
            final = float(distances[-1])
            solved = (final < limit for limit in THRESHOLDS_CM)
            found.append(PushOutcome(float(distances[0]), final, float(distances[1:].min()), *solved))
        return found

    def summary(self, outcomes: Sequence[PushOutcome]) -> Summary:
        """Success at the end and at any time, and distances."""
        final = [outcome.final_cm for outcome in outcomes]
        distance = {
            "median": float(np.median(final)),
            "mean": float(np.mean(final)),
            "start_median": float(np.median([outcome.start_cm for outcome in outcomes])),
        }
        return Summary(
            shares=(
                Share("solved_5cm", "within 5 cm at the end", [outcome.solved_5cm for outcome in outcomes]),
                Share("solved_3cm", "within 3 cm at the end", [outcome.solved_3cm for outcome in outcomes]),
                Share("reached_5cm_any_time", "within 5 cm, ever", [outcome.closest_cm < 5 for outcome in outcomes]),
            ),
            numbers={"distance_cm": distance},
            lines={"median distance": f"{distance['start_median']:.1f} cm -> {distance['median']:.1f} cm"},
        )


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
    expected = {field.name for field in fields(TaskSet)} - NOT_STORED
    if set(values) != expected:
        raise ValueError(f"{path} is no task set: it should hold {sorted(expected)}, it holds {sorted(values)}")
    for key in ("name", "split", "mujoco", "renderer"):
        values[key] = str(values[key])
    return TaskSet(**values, sha256=digest)


def write(task_set: TaskSet, path: Path) -> None:
    """Write a task set; equal sets make equal files."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for field in fields(task_set):
            if field.name not in NOT_STORED:
                entry = zipfile.ZipInfo(f"{field.name}.npy")  # a fixed date
                entry.compress_type = zipfile.ZIP_DEFLATED
                with archive.open(entry, "w") as file:
                    np.lib.format.write_array(file, np.asarray(getattr(task_set, field.name)), allow_pickle=False)
