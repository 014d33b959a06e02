"""What is registered with Gymnasium: what names it, how it is made, and what vfplan finds in it before it runs."""

import os
import sys
import warnings
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from envs.base import EnvConfig, Finding, within

EXTRAS = {"gym_pusht": "vfplan[pusht]"}  # module that an id starts with: what to install for it


@dataclass(frozen=True)
class GymConfig(EnvConfig):
    """A registered environment; `kwargs` are handed to gymnasium.make."""

    name: str = "gym"
    id: str = ""  # as gymnasium.make takes it; "module:id" imports a module that registers it first
    goal_steps: int = within(15, 1, 100_000)  # actions from the start of a task to its goal image
    kwargs: dict[str, Any] | None = None

    @property
    def uses(self) -> str:
        """The id without the module that registers it."""
        return self.id.rpartition(":")[2]


def make(config: GymConfig) -> gymnasium.Env[Any, Any]:
    """Make the environment, with render_mode="rgb_array" if it knows that. Raises ValueError, in one line."""
    if not config.id:
        raise ValueError("env=gym needs env.id=, the id of a registered Gymnasium environment (or module:id)")
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    if "DISPLAY" not in os.environ and sys.platform == "linux":
        os.environ.setdefault("MUJOCO_GL", "egl")  # what Gymnasium's own MuJoCo environments draw with
    module = config.id.partition(":")[0] if ":" in config.id else ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about render modes and versions: what matters is checked here
            return _make_drawing(config)
    except ImportError as error:
        what = EXTRAS.get(module)
        hint = f"; pip install '{what}'" if what else ""
        raise ValueError(f"env.id={config.uses} cannot be imported: {one_line(error)}{hint}") from error
    except (gymnasium.error.Error, TypeError) as error:
        raise ValueError(f"env.id={config.uses} cannot be made: {one_line(error)}") from error


def findings(config: GymConfig, env: gymnasium.Env[Any, Any]) -> list[Finding]:
    """What the environment says of its actions, its pixels and its length."""
    return [_actions(env.action_space), _pixels(env), _length(config, env)]


def pixel_key(space: spaces.Space[Any]) -> str | None:
    """Under which key of an observation the pixels are: "" if it is the pixels, None if there are none."""
    if isinstance(space, spaces.Box) and space.dtype == np.uint8 and len(space.shape) == 3 and space.shape[2] == 3:
        return ""
    if isinstance(space, spaces.Dict):
        return next((str(key) for key, part in space.items() if pixel_key(part) == ""), None)
    return None


def one_line(error: BaseException) -> str:
    """What an exception is and says, in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def _make_drawing(config: GymConfig) -> gymnasium.Env[Any, Any]:
    given = config.kwargs or {}
    try:
        return gymnasium.make(config.id, render_mode="rgb_array", disable_env_checker=True, **given)
    except TypeError:
        return gymnasium.make(config.id, disable_env_checker=True, **given)


def _actions(space: spaces.Space[Any]) -> Finding:
    if not isinstance(space, spaces.Box) or not np.issubdtype(space.dtype or np.int64, np.floating):
        return Finding(
            "actions",
            str(space),
            "a Box of real numbers as action space",
            "wrap it: a gymnasium.ActionWrapper whose action_space is a Box, and that rounds to what is meant",
        )
    if not (np.isfinite(space.low).all() and np.isfinite(space.high).all()):
        fix = "wrap it: gymnasium.wrappers.RescaleAction needs bounds, so give the Box a finite low and high"
        return Finding("actions", str(space), "finite action bounds", fix)
    return Finding("actions", str(space))


def _pixels(env: gymnasium.Env[Any, Any]) -> Finding:
    key = pixel_key(env.observation_space)
    if key is not None:
        return Finding("pixels", f"observations[{key!r}]" if key else "the observations themselves")
    if env.render_mode == "rgb_array":
        return Finding("pixels", "render_mode='rgb_array'")
    modes = ", ".join(map(str, env.metadata.get("render_modes") or [])) or "none"
    return Finding(
        "pixels",
        f"{type(env.observation_space).__name__} observations and render modes: {modes}",
        "pixel observations (uint8, Y x X x 3) or render_mode='rgb_array'",
        "take a render_mode in __init__, list 'rgb_array' in metadata['render_modes'], return the frame from render()",
    )


def _length(config: GymConfig, env: gymnasium.Env[Any, Any]) -> Finding:
    limit = env.spec.max_episode_steps if env.spec is not None else None
    if limit is None or limit >= max(config.length, config.goal_steps):
        return Finding("length", f"{'no limit' if limit is None else f'a limit of {limit} actions'}")
    fix = f"set env.length={limit} env.goal_steps={min(limit, config.goal_steps)}, or 'env.kwargs={{max_episode_steps: "
    needed = f"episodes of env.length={config.length} actions"
    return Finding("length", f"an end after {limit}", needed, f"{fix}{config.length}}}'")
