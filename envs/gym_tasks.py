"""Tasks in any Gymnasium environment: a seed, actions, and the goal image that these actions led to from that start.

Nothing is stored and nothing is teleported: task i of a split is drawn from (seed of the split, i) and so is the same
wherever the environment and its drawing are the same, which `GymTasks.sha256` tells.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from envs import pusht
from envs.base import SPLITS, Bytes, Env, Infos, Outcome, Share, Summary, Tasks, WrongObservationError
from envs.gym_env import GymConfig, GymEnv
from envs.policies import Smooth

MAX_DRAWS = 200
CHANGED = 24  # levels of some channel by which a pixel differs visibly
LEAST_CHANGE = 0.005  # share of the pixels in which start and goal image of a task differ at least


@dataclass(frozen=True)
class GymOutcome(Outcome):
    """Image distances from the goal, as shares of the start's: solved is half of it at the end."""

    seed: int
    solved: bool
    final: float
    closest: float
    reward: float
    """Summed over the episode."""

    def line(self) -> str:
        """What is printed of it."""
        return f"{100 * self.final:5.1f} % of the image distance left, reward {self.reward:.2f}  ({self.mark})"

    @property
    def mark(self) -> str:
        """Whether it is solved."""
        return "solved" if self.solved else "not solved"


@dataclass(frozen=True)
class PushTOutcome(GymOutcome):
    """In Push-T solved is a small pose error of the block."""

    block_px: float
    block_degrees: float
    coverage: float
    """Share of the block's place in the goal image that it covers."""

    def line(self) -> str:
        """What is printed of it."""
        error = f"{self.block_px:5.1f} px and {self.block_degrees:5.1f} degrees from the goal"
        return f"{error}, {100 * self.coverage:.0f} % covered  ({self.mark})"


@dataclass(frozen=True)
class GymTasks(Tasks[GymOutcome]):
    """N tasks. Letters: N task, L = goal_steps actions, A action, Y row, X column."""

    config: GymConfig
    sha256: str
    """Over the configuration, seeds, actions and images."""
    seeds: tuple[int, ...]  # of reset
    actions: NDArray[np.float32]  # (N, L, A)
    start_image: Bytes  # (N, Y, X, 3)
    goal_image: Bytes  # (N, Y, X, 3)
    start_info: tuple[dict[str, Any], ...]
    goal_info: tuple[dict[str, Any], ...]

    def __len__(self) -> int:
        return len(self.seeds)

    def select(self, tasks: range) -> Self:
        """The chosen tasks; the SHA-256 stays that of all."""
        chosen = slice(tasks.start, tasks.stop, tasks.step)
        kept = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(self, **{name: kept[name][chosen] for name in kept if name not in ("config", "sha256")})

    def start(self) -> tuple[list[Env], list[dict[str, Any]]]:
        """An environment for each task, at its start, and what it shows there."""
        environments = [GymEnv(self.config) for _ in self.seeds]
        observations = [each.reset(seed=seed)[0] for each, seed in zip(environments, self.seeds, strict=True)]
        return list(environments), list(observations)

    def goals(self, *, hand: bool) -> Bytes:
        """The goal images (N, Y, X, C), as they were seen: nothing can be left out of them."""
        return self.goal_image

    def outcomes(self, frames: Bytes, infos: Sequence[Infos]) -> list[GymOutcome]:
        """What became of each task, from frames (N, T + 1, Y, X, 3) and the info after each of T actions."""
        return [self._outcome(index, frames[index], infos[index]) for index in range(len(self))]

    def _outcome(self, index: int, frames: Bytes, infos: Infos) -> GymOutcome:
        distance = image_distance(frames, self.goal_image[index])
        final, closest = float(distance[-1] / distance[0]), float(distance[1:].min() / distance[0])
        seed, reward = self.seeds[index], float(sum(info["reward"] for info in infos))
        if "block_pose" not in infos[-1]:
            return GymOutcome(seed, final < 0.5, final, closest, reward)
        error = pusht.pose_error(infos[-1]["block_pose"], self.goal_info[index]["block_pose"])
        return PushTOutcome(seed, pusht.is_solved(error), final, closest, reward, **error)

    def summary(self, outcomes: Sequence[GymOutcome]) -> Summary:
        """Success at the end, and the median of each number."""
        rows = [asdict(outcome) for outcome in outcomes]
        numbers = [key for key in rows[0] if key not in ("seed", "solved")]
        median = {key: float(np.median([row[key] for row in rows])) for key in numbers}
        lines = {
            "median image distance": f"{100 * median['final']:.1f} % of the start's",
            "median reward": f"{median['reward']:.2f}",
        }
        if "block_px" in median:
            lines["median pose error"] = f"{median['block_px']:.1f} px, {median['block_degrees']:.1f} degrees"
            lines["median coverage"] = f"{100 * median['coverage']:.0f} %"
        solved = Share("solved", "solved at the end", [outcome.solved for outcome in outcomes])
        return Summary((solved,), {"median": median}, lines)


def generate(config: GymConfig, split: str, num: int = 0) -> GymTasks:
    """Make the first `num` (0: all) tasks of a split, benchmark or dev.

    Raises:
        ValueError: for more tasks than the split has, where random actions change hardly anything, or the environment
            raises.
    """
    most = SPLITS[split][0]
    if num > most:
        raise ValueError(f"num_tasks={num}, but {config.name} {split} has {most} tasks")
    env = GymEnv(config)
    try:
        rows = [_drawn(env, split, index) for index in range(num or most)]
    finally:
        env.close()
    seeds, drawn, starts, goals, start_infos, goal_infos = zip(*rows, strict=True)
    actions, start_image, goal_image = np.stack(drawn), np.stack(starts), np.stack(goals)
    sha256 = _hash(config, seeds, actions, start_image, goal_image)
    return GymTasks(config, sha256, seeds, actions, start_image, goal_image, start_infos, goal_infos)


def image_distance(frames: Bytes, goal: Bytes) -> NDArray[np.float64]:
    """Return the root mean square differences (...) of frames (..., Y, X, 3) from goal (Y, X, 3), 1 being the range."""
    difference = (frames.astype(np.float64) - goal) / 255.0
    return np.asarray(np.sqrt(np.square(difference).mean(axis=(-3, -2, -1))))


def _drawn(env: GymEnv, split: str, index: int) -> tuple[Any, ...]:
    """Return a task. Raises ValueError, in one line, for whatever the environment raises."""
    try:
        return _task(env, split, index)
    except WrongObservationError as error:
        raise ValueError(f"env.id={env.config.uses}, task {index}: {error}") from error
    except ValueError:
        raise
    except (Exception, SystemExit) as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"env.id={env.config.uses} failed while task {index} was drawn: {what}") from error


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


def _hash(config: GymConfig, seeds: Sequence[int], *arrays: NDArray[Any]) -> str:
    text = json.dumps([asdict(config), seeds], sort_keys=True)
    return hashlib.sha256(text.encode() + b"".join(array.tobytes() for array in arrays)).hexdigest()
