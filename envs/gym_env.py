"""Any registered Gymnasium environment with pixels and bounded actions, seen as vfplan needs it.

Actions in [-1, 1] are mapped linearly onto the environment's bounds. Frames are the whole picture, area-averaged to a
square: a picture that is wider than high is squeezed, nothing is cut off. There is no simulator state and no hand.
"""

import os
import sys
import warnings
from dataclasses import dataclass
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import ArrayLike, NDArray

from envs.base import EnvConfig, WrongObservationError, check_image, within

Bytes = NDArray[np.uint8]
Observation = dict[str, Bytes]

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


PRESETS = {
    "gym": GymConfig(),
    "pusht": GymConfig(
        name="pusht",
        goal_steps=25,
        id="gym_pusht:gym_pusht/PushT-v0",
        # Drawn at 512 pixels and averaged here: the environment itself would pick single pixels.
        kwargs={"obs_type": "pixels", "observation_width": 512, "observation_height": 512},
    ),
}


class GymEnv(gymnasium.Env[Observation, NDArray[np.float32]]):
    """The environment of a GymConfig: actions (A,) in [-1, 1], observations {image}.

    An episode that ended stays as it is: further actions change nothing and are worth 0. With `images=False` it has to
    have pixels all the same, but observations are empty, and nothing is drawn for them.

    Raises:
        ValueError: in one line that lists all that vfplan needs and the environment lacks.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"]}

    def __init__(self, config: GymConfig, *, images: bool = True) -> None:
        self.config = config
        self._env = _made(config)
        self._pixels, self._images = _pixel_key(self._env.observation_space), True
        self._last: tuple[Observation, bool, bool, dict[str, Any]] | None = None
        self._shape: tuple[int, ...] | None = None
        self._seed: int | None = None
        self._steps = 0
        lacking = self._lacking()
        if lacking:
            self._env.close()
            raise ValueError(f"env.id={config.uses} lacks what vfplan needs: {'; '.join(lacking)}")
        native = self._env.action_space
        assert isinstance(native, spaces.Box)
        self._low, self._high = native.low.astype(np.float64), native.high.astype(np.float64)
        self.action_space = spaces.Box(-1.0, 1.0, (native.low.size,), np.float32)
        size = config.image_size
        self._check_pixels()
        self._images = images
        self.observation_space = spaces.Dict({"image": spaces.Box(0, 255, (size, size, 3), np.uint8)} if images else {})

    @property
    def step_seconds(self) -> float:
        """Duration of one action, by the rate at which the environment wants to be shown."""
        return 1.0 / float(self._env.metadata.get("render_fps") or 10)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode."""
        self._seed, self._steps = seed, 0
        observation, info = self._env.reset(seed=seed, options=options)
        self._last = self._observation(observation), False, False, dict(info)
        return self._last[0], self._last[3]

    def step(self, action: ArrayLike) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Execute one action (A,); info has the environment's own entries and `reward`.

        Raises:
            ValueError: for anything but A finite numbers, and before `reset`.
            WrongObservationError: if a frame is not uint8 or of another shape than the first, or a reward is no number.
        """
        values = np.asarray(action, dtype=np.float64)
        if values.shape != self.action_space.shape or not np.isfinite(values).all():
            raise ValueError(f"an action is {self._low.size} finite numbers in [-1, 1]; got {action!r}")
        if self._last is None:
            raise ValueError("the environment has no state yet: call reset() first")
        observation, terminated, truncated, info = self._last
        if terminated or truncated:
            return observation, 0.0, terminated, truncated, {**info, "reward": 0.0}
        self._steps += 1
        raw, reward, terminated, truncated, info = self._env.step(self.native_action(values))
        if not np.isfinite(reward):
            raise WrongObservationError(f"expected a finite reward, got {reward} {self._when}")
        info = {**info, "reward": float(reward)}
        self._last = self._observation(raw), bool(terminated), bool(truncated), info
        return self._last[0], float(reward), bool(terminated), bool(truncated), info

    def native_action(self, action: ArrayLike) -> NDArray[Any]:
        """Return what the environment is given for an action (A,) in [-1, 1]."""
        share = (np.clip(np.asarray(action, dtype=np.float64), -1.0, 1.0).reshape(self._low.shape) + 1.0) / 2.0
        return np.asarray(self._low + share * (self._high - self._low), dtype=self._env.action_space.dtype)

    def render(self) -> Bytes:
        """Return the image (Y, X, 3) as it was last observed."""
        if self._last is None or not self._images:
            raise ValueError("nothing was observed yet: call reset() first, of an environment with images=True")
        return self._last[0]["image"].copy()

    def description(self) -> dict[str, Any]:
        """Return what a data set should say about where it comes from; JSON-able."""
        spec = self._env.spec
        return {
            "name": self.config.name,
            "id": self.config.uses,
            "image_size": self.config.image_size,
            "renderer": f"gymnasium {self.config.uses}",
            "action_scale": [self._low.ravel().tolist(), self._high.ravel().tolist()],
            "step_seconds": self.step_seconds,
            "entry_point": str(spec.entry_point) if spec is not None else "",
        }

    def close(self) -> None:
        """Release what the environment holds."""
        self._env.close()

    def _lacking(self) -> list[str]:
        """Return what is missing, as far as it can be read without running the environment."""
        lacking, space = [], self._env.action_space
        if not isinstance(space, spaces.Box) or not np.issubdtype(space.dtype or np.int64, np.floating):
            lacking.append(f"a Box of real numbers as action space, found {space}")
        elif not (np.isfinite(space.low).all() and np.isfinite(space.high).all()):
            lacking.append(f"finite action bounds, found {space}")
        if self._pixels is None and self._env.render_mode != "rgb_array":
            modes = ", ".join(map(str, self._env.metadata.get("render_modes") or [])) or "none"
            found = f"{type(self._env.observation_space).__name__} observations and render modes: {modes}"
            lacking.append(f"pixel observations (uint8, Y x X x 3) or render_mode='rgb_array', found {found}")
        limit = self._env.spec.max_episode_steps if self._env.spec is not None else None
        if limit is not None and limit < max(self.config.length, self.config.goal_steps):
            lacking.append(f"episodes of env.length={self.config.length} actions, found an end after {limit}")
        return lacking

    def _check_pixels(self) -> None:
        """Draw once, and check that a seed and an action decide about the frames."""
        runs = []
        for _ in range(2):
            first, _ = self.reset(seed=0)
            second, *_ = self.step(np.full(self._low.size, 0.5))
            runs.append(np.stack([first["image"], second["image"]]))
        self._last = None
        if not np.array_equal(runs[0], runs[1]):
            when = "right after" if not np.array_equal(runs[0][0], runs[1][0]) else "one action after"
            raise ValueError(
                f"env.id={self.config.uses} lacks what vfplan needs: a seed that decides about an episode, found "
                f"different frames {when} two calls of reset(seed=0)"
            )

    def _observation(self, observation: Any) -> Observation:
        if not self._images:
            return {}
        if self._pixels is None:
            try:
                frame = self._env.render()
            except Exception as error:  # whatever its drawing library raises
                raise ValueError(f"env.id={self.config.uses} cannot draw: {_line(error)}") from error
        else:
            frame = observation[self._pixels] if self._pixels else observation
        shape, size = np.shape(frame), self.config.image_size
        if self._shape is None and (len(shape) != 3 or shape[2] != 3 or min(shape[:2]) < size):
            raise ValueError(
                f"env.id={self.config.uses} lacks what vfplan needs: frames (Y, X, 3) of at least "
                f"env.image_size={size} pixels a side, found {shape}"
            )
        self._shape = self._shape or shape
        check_image(frame, self._shape, self._when)
        return {"image": area_average(frame, size)}

    @property
    def _when(self) -> str:
        return f"after {self._steps} actions with seed {self._seed}"


def area_average(frame: Bytes, size: int) -> Bytes:
    """Return the frame (Y, X, 3) averaged over equal areas to (size, size, 3)."""
    high, wide = (length // size for length in frame.shape[:2])
    if (high * size, wide * size) == frame.shape[:2]:
        cells = frame.reshape(size, high, size, wide, 3).sum(axis=(1, 3), dtype=np.uint32)
        return ((2 * cells + high * wide) // (2 * high * wide)).astype(np.uint8)
    rows, columns = (_shares(length, size) for length in frame.shape[:2])
    mean = np.einsum("ij,jkc->ikc", rows, frame.astype(np.float64), optimize=True)
    return (np.einsum("lk,ikc->ilc", columns, mean, optimize=True) + 0.5).astype(np.uint8)


def _shares(length: int, size: int) -> NDArray[np.float64]:
    """Return how much each of `length` pixels is part of each of `size` equal cells, (size, length); rows sum to 1."""
    edges = np.arange(size + 1) * (length / size)
    left, right = edges[:-1, None], edges[1:, None]
    pixel = np.arange(length)[None]
    return np.clip(np.minimum(right, pixel + 1) - np.maximum(left, pixel), 0.0, None) * (size / length)


def _made(config: GymConfig) -> gymnasium.Env[Any, Any]:
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
        raise ValueError(f"env.id={config.uses} cannot be imported: {_line(error)}{hint}") from error
    except (gymnasium.error.Error, TypeError) as error:
        raise ValueError(f"env.id={config.uses} cannot be made: {_line(error)}") from error


def _make_drawing(config: GymConfig) -> gymnasium.Env[Any, Any]:
    """Make the environment, with render_mode="rgb_array" if it knows that."""
    given = config.kwargs or {}
    try:
        return gymnasium.make(config.id, render_mode="rgb_array", disable_env_checker=True, **given)
    except TypeError:
        return gymnasium.make(config.id, disable_env_checker=True, **given)


def _pixel_key(space: spaces.Space[Any]) -> str | None:
    """Return under which key of an observation the pixels are: "" if it is the pixels, None if there are none."""
    if isinstance(space, spaces.Box) and space.dtype == np.uint8 and len(space.shape) == 3 and space.shape[2] == 3:
        return ""
    if isinstance(space, spaces.Dict):
        return next((str(key) for key, part in space.items() if _pixel_key(part) == ""), None)
    return None


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
