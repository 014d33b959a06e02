"""What an environment has and lacks of what vfplan needs, found by running it: whatever environment it is.

T action, A component of an action, Y row, X column, C channel.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.base import Bytes, Env, Finding, LackingError, World, WrongObservationError, check_image
from envs.registered import one_line

RUNS = "mend what it says; without a display set MUJOCO_GL=egl or osmesa, and SDL_VIDEODRIVER=dummy"
SHOWS = "show {'image': frame}, every frame uint8 of one shape, and finite rewards"
SEEDS = "draw all that is random from a generator that reset(seed=...) makes anew"
MOVES = "let the actions within [-1, 1] move something that the camera sees"


@dataclass(frozen=True)
class Episode:
    """What was shown; it may end before all actions were executed."""

    frames: Bytes
    """(T + 1, Y, X, C)."""
    infos: list[dict[str, Any]]
    """After each action."""
    seconds: float
    """For all actions together."""
    ended: bool


def findings(world: World[Any], seed: int = 0) -> list[Finding]:
    """Run episodes of `env.length` actions, and draw a task. Raises ValueError where there is no such environment."""
    found = _stated(world)
    if any(finding.needed for finding in found):
        return found
    try:
        for finding in _of_world(world, seed):
            found.append(finding)
    except LackingError as error:
        found += error.findings
    except WrongObservationError as error:
        found.append(Finding("frames", _said(error), "frames as they were promised", SHOWS))
    except (Exception, SystemExit) as error:  # whatever somebody else's environment raises
        found.append(_failed(world, error))
    return found


def _stated(world: World[Any]) -> list[Finding]:
    """What is known without running it. Raises ValueError where there is no such environment."""
    try:
        return world.findings()
    except ValueError:
        raise
    except (Exception, SystemExit) as error:
        return [_failed(world, error)]


def _failed(world: World[Any], error: BaseException) -> Finding:
    return Finding("running", _said(error), f"{world.config.length} actions that run", RUNS)


def _said(error: BaseException) -> str:
    """Our own errors say all in their text."""
    return " ".join(str(error).split()) if isinstance(error, ValueError) else one_line(error)


def _of_world(world: World[Any], seed: int) -> Iterator[Finding]:
    """Everything there is to know; what cannot be found raises."""
    size, length = world.config.image_size, world.config.length
    # Asked first: it may build the environment, and to close one with OpenGL takes the context of the other.
    described = world.description
    with closing(world.build()) as env:
        yield _described(world, described, env)
        actions = np.random.default_rng(seed).uniform(-1, 1, (length, len(world.action_names))).astype(np.float32)
        first = _episode(env, seed, actions, size)
        yield Finding("frames", f"uint8 {first.frames.shape[1:]} in all of {len(first.frames)}")
        yield _info(first)
        yield _end(first, length)
        yield _seed(first, _episode(env, seed, actions, size))
        yield _starts([_episode(env, seed + other, actions[:0], size).frames[0] for other in range(1, 5)])
        yield _effect([_episode(env, seed, np.full_like(actions, value), size).frames for value in (-1, 0, 1)])
    yield _speed(world, seed, actions, first)
    yield _tasks(world)


def _episode(env: Env, seed: int, actions: NDArray[np.float32], size: int) -> Episode:
    """Execute actions (T, A) from the start that a seed gives."""
    observation, _ = env.reset(seed=seed)
    frames, infos, ended = [_image(observation, size, 0)], [], False
    started = time.perf_counter()
    for action in actions:
        observation, reward, terminated, truncated, info = env.step(action)
        frames.append(_image(observation, size, len(frames)))
        infos.append(info)
        if not np.isfinite(reward):
            raise WrongObservationError(f"expected a finite reward, got {reward} after {len(infos)} actions")
        if terminated or truncated:
            ended = True
            break
    return Episode(np.stack(frames), infos, time.perf_counter() - started, ended)


def _image(observation: Any, size: int, steps: int) -> Any:
    if not isinstance(observation, dict) or "image" not in observation:
        shown = f"the keys {', '.join(observation)}" if isinstance(observation, dict) else type(observation).__name__
        raise WrongObservationError(f"expected observations with an image, got {shown}")
    check_image(observation["image"], (size, size, 3), f"after {steps} actions")
    return observation["image"]


def _described(world: World[Any], described: Mapping[str, Any], env: Env) -> Finding:
    """Whether what data sets and checkpoints remember of it says enough, and fits."""
    missing = [key for key in (*world.identity, "step_seconds") if key not in described]
    names = world.action_names
    if missing or env.action_space.shape != (len(names),):
        found = f"no {', '.join(missing)}" if missing else f"{len(names)} action_names for {env.action_space}"
        needed = "a description with all of identity, step_seconds and a name for each component of an action"
        return Finding("description", found, needed, "add it to World.describe()")
    return Finding(
        "description", f"actions {', '.join(names)} in [-1, 1], {world.description['step_seconds']:g} s each"
    )


def _info(episode: Episode) -> Finding:
    keys = sorted(map(str, episode.infos[-1]))
    return Finding("info", ", ".join(keys) or "no keys")


def _end(episode: Episode, length: int) -> Finding:
    steps = len(episode.infos)
    if episode.ended and steps < length:
        fix = f"it is kept at its own length; env.length={steps} makes episodes alike"
        return Finding("ends", f"after {steps} of {length} random actions", fix=fix)
    return Finding("ends", f"not within {length} random actions")


def _seed(first: Episode, again: Episode) -> Finding:
    steps = min(len(first.frames), len(again.frames))
    differ = np.flatnonzero((first.frames[:steps] != again.frames[:steps]).any(axis=(1, 2, 3)))
    if len(differ) or len(first.frames) != len(again.frames):
        when = differ[0] if len(differ) else steps
        return Finding("seed", f"other frames from action {when} on", "a seed that decides about an episode", SEEDS)
    return Finding("seed", f"the same seed and actions show the same {steps} frames")


def _starts(frames: list[Bytes]) -> Finding:
    different = len({frame.tobytes() for frame in frames})
    if different == 1:
        fix = "let reset(seed=...) vary the start, or data and tasks begin all alike"
        return Finding("starts", f"the same for {len(frames)} seeds", fix=fix)
    return Finding("starts", f"{different} different ones for {len(frames)} seeds")


def _effect(runs: list[Bytes]) -> Finding:
    steps = min(len(frames) for frames in runs)
    for step in range(steps):
        if len({frames[step].tobytes() for frames in runs}) > 1:
            return Finding("effect", f"different actions show different frames from action {step} on")
    return Finding("effect", f"the same {steps} frames for all actions", "actions that change what is seen", MOVES)


def _speed(world: World[Any], seed: int, actions: NDArray[np.float32], drawn: Episode) -> Finding:
    with closing(world.build(images=False)) as env:
        env.reset(seed=seed)
        started = time.perf_counter()
        for action in actions[: len(drawn.infos)]:
            env.step(action)
        seconds = time.perf_counter() - started
    steps, shown = (len(drawn.infos) / max(each, 1e-9) for each in (seconds, drawn.seconds))
    return Finding("speed", f"{steps:,.0f} steps/s without drawing, {shown:,.0f} frames/s")


def _tasks(world: World[Any]) -> Finding:
    """Whether a task can be drawn, run and judged."""
    size = world.config.image_size
    try:
        tasks = world.tasks("dev", 1)
        (env,), (observation,) = tasks.start()
        with closing(env):
            check_image(tasks.goals(hand=False), (1, size, size, 3), "as a goal")
            rest = np.zeros(len(world.action_names), np.float32)
            after, *_, info = env.step(rest)
        outcomes = tasks.outcomes(np.stack([observation["image"], after["image"]])[None], [[info]])
        tasks.summary(outcomes)
    except (Exception, SystemExit) as error:
        what = _said(error)
        return Finding(
            "tasks", what, "a task with a start, a goal image and an outcome", "see World.tasks, and env.goal_steps"
        )
    return Finding("tasks", f"one was drawn and judged: {outcomes[0].line()}")
