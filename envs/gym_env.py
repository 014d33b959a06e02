"""Any registered Gymnasium environment with pixels and bounded actions, seen as vfplan needs it.

Actions in [-1, 1] are mapped linearly onto the environment's bounds. Frames are the whole picture, area-averaged to a
square: a picture that is wider than high is squeezed, nothing is cut off. There is no simulator state and no hand.
"""

from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import ArrayLike, NDArray

from envs.base import Finding, LackingError, WrongObservationError, check_image
from envs.registered import GymConfig, findings, make, one_line, pixel_key

Bytes = NDArray[np.uint8]
Observation = dict[str, Bytes]

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

FIXES = {
    "seed": "call super().reset(seed=seed) and draw from self.np_random; where make takes it, 'env.kwargs={seed: 0}'",
    "frames": "set env.image_size= to at most the shorter side, or 'env.kwargs={width: ..., height: ...}'",
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
        self._env = make(config)
        self._pixels, self._images = pixel_key(self._env.observation_space), True
        self._last: tuple[Observation, bool, bool, dict[str, Any]] | None = None
        self._shape: tuple[int, ...] | None = None
        self._seed: int | None = None
        self._steps = 0
        found = findings(config, self._env)
        if any(finding.needed for finding in found):
            self._env.close()
            raise LackingError(f"env.id={config.uses}", found)
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
            raise self._lacks(
                "seed", f"different frames {when} two calls of reset(seed=0)", "a seed that decides about an episode"
            )

    def _observation(self, observation: Any) -> Observation:
        if not self._images:
            return {}
        if self._pixels is None:
            try:
                frame = self._env.render()
            except Exception as error:  # whatever its drawing library raises
                raise ValueError(f"env.id={self.config.uses} cannot draw: {one_line(error)}") from error
        else:
            frame = observation[self._pixels] if self._pixels else observation
        shape, size = np.shape(frame), self.config.image_size
        if self._shape is None and (len(shape) != 3 or shape[2] != 3 or min(shape[:2]) < size):
            needed = f"frames (Y, X, 3) of at least env.image_size={size} pixels a side"
            raise self._lacks("frames", str(shape), needed)
        self._shape = self._shape or shape
        check_image(frame, self._shape, self._when)
        return {"image": area_average(frame, size)}

    def _lacks(self, subject: str, found: str, needed: str) -> LackingError:
        return LackingError(f"env.id={self.config.uses}", [Finding(subject, found, needed, FIXES[subject])])

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
