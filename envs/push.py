"""One pushing environment with Gymnasium's interface: a thin shell around a BatchSimulator of one row.

Because single steps and batched steps are the same code, a planner that imagines with the simulator is exact.
"""

from typing import Any, ClassVar

import gymnasium
import mujoco
import numpy as np
from gymnasium import spaces
from numpy.typing import ArrayLike, NDArray

from envs import scene
from envs.description import describe
from envs.scene import PushConfig
from envs.simulator import BatchSimulator, scene_model

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]
Observation = dict[str, NDArray[Any]]

MAX_DRAWS = 10_000


class PushEnv(gymnasium.Env[Observation, NDArray[np.float32]]):
    """Push objects in a bin; actions (dx, dy, lift, close) in [-1, 1], observations {image, hand}.

    dx and dy move the hand by up to `action_scale` metres. With the gripper, lift > 0 raises it and close > 0 closes it
    for this action; the finger of the other presets ignores both. The reward is minus the summed distance (m) of the
    objects to `options["goal_xy"]` (O, 2) if that was given to reset, else 0. With `images=False` nothing is drawn and
    observations are {hand} alone; the physics are the same bit for bit, and `render` still draws.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": 5}

    def __init__(
        self, config: PushConfig | None = None, render_mode: str | None = "rgb_array", *, images: bool = True
    ) -> None:
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode must be 'rgb_array' or None; got {render_mode!r}")
        self.config = config or scene.PRESETS["push"]
        self.render_mode, self._images = render_mode, images
        size = self.config.image_size
        low, high = np.array([-0.25, -0.25, -0.05], np.float32), np.array([0.25, 0.25, 0.15], np.float32)
        self.action_space = spaces.Box(-1.0, 1.0, (4,), np.float32)
        image: dict[str, Any] = {"image": spaces.Box(0, 255, (size, size, 3), np.uint8)} if images else {}
        self.observation_space = spaces.Dict({**image, "hand": spaces.Box(low, high, dtype=np.float32)})
        self.floor_to_pixel = self.config.camera.homography(size)
        self._simulator = BatchSimulator(self.config, num_threads=1)
        self._state: Floats | None = None
        self._goal_xy: Floats | None = None
        self._num_steps = 0

    @property
    def step_seconds(self) -> float:
        """Duration of one action."""
        return self.config.step_seconds

    @property
    def num_objects(self) -> int:
        """How many objects there are, in every episode."""
        return self.config.num_objects

    @property
    def object_xy(self) -> Floats:
        """The objects' centres (O, 2) in m."""
        return self._simulator.object_xy(self._row())[0]

    @property
    def hand_xyz(self) -> Floats:
        """The hand's (x, y, height above its lowest position) in m."""
        return self._simulator.hand_xyz(self._row())[0]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode: from options["state"] (S,) if given, else from a random scene and start."""
        super().reset(seed=seed)
        options = options or {}
        unknown = set(options) - {"state", "goal_xy"}
        if unknown:
            raise ValueError(f"reset options are 'state' and 'goal_xy'; got {', '.join(sorted(map(repr, unknown)))}")
        goal = options.get("goal_xy")
        self._goal_xy = None if goal is None else np.array(goal, dtype=np.float64).reshape(self.num_objects, 2)
        state = options.get("state")
        self._state = self._start() if state is None else self._checked(state)
        self._num_steps = 0
        return self._observation(), self._info()

    def step(self, action: ArrayLike) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Execute one action (4,), `step_seconds` long."""
        chosen = np.asarray(action, dtype=np.float64)
        if chosen.shape != (4,) or not np.isfinite(chosen).all():
            raise ValueError(f"an action is 4 finite numbers in [-1, 1] (dx, dy, lift, close); got {action!r}")
        row = self._row()
        if self.config.wind > 0:
            row = self._with_wind(row)
        self._state = self._simulator.step(row, chosen[None])[0]
        if self.config.wind > 0:
            self._state[self._force_slice()] = 0.0
        self._num_steps += 1
        reward = 0.0
        if self._goal_xy is not None:
            reward = -float(np.hypot(*(self.object_xy - self._goal_xy).T).sum())
        return self._observation(), reward, False, self._num_steps >= self.config.length, self._info()

    def render(self, hand_visible: bool = True) -> Bytes:
        """Return the image (Y, X, 3); `hand_visible=False` leaves the hand and its arm out."""
        return self._simulator.render(self._row(), hand_visible)[0]

    def get_state(self) -> Floats:
        """Return the state (S,) from which everything continues bit for bit, scene included.

        Future wind is not part of it: gusts come from the environment's random generator.
        """
        return self._row()[0].copy()

    def set_state(self, state: ArrayLike) -> Observation:
        """Continue from a state (S,) of the same preset; the step counter starts at 0."""
        self._state = self._checked(state)
        self._num_steps = 0
        return self._observation()

    def description(self) -> dict[str, Any]:
        """Return what a data set should say about where it comes from; JSON-able."""
        return describe(self.config)

    def close(self) -> None:
        """Release the renderer."""
        self._simulator.close()

    def _row(self) -> Floats:
        if self._state is None:
            raise ValueError("the environment has no state yet: call reset() or set_state(state) first")
        return self._state[None]

    def _checked(self, state: ArrayLike) -> Floats:
        values = np.array(state, dtype=np.float64)
        if values.shape != (self._simulator.state_size,) or not np.isfinite(values).all():
            raise ValueError(
                f"a state of {self.config.name} is {self._simulator.state_size} finite numbers;"
                f" got shape {values.shape}"
            )
        return values

    def _observation(self) -> Observation:
        image = {"image": self._simulator.render(self._row())[0]} if self._images else {}
        return {**image, "hand": self.hand_xyz.astype(np.float32)}

    def _info(self) -> dict[str, Any]:
        return {"object_xy": self.object_xy, "hand_xyz": self.hand_xyz}

    def _start(self) -> Floats:
        """Draw scene and placements, and let one zero action settle them."""
        config, rng = self.config, self.np_random
        parameters = scene.sample_parameters(config, rng)
        hand_xy, object_xy = _placements(config, rng)
        model = scene_model(config, parameters)
        data = mujoco.MjData(model)
        data.qpos[:2] = hand_xy
        for i, (xy, yaw) in enumerate(zip(object_xy, rng.uniform(-np.pi, np.pi, config.num_objects), strict=True)):
            joint = data.joint(model.body(f"object{i}").jntadr[0])
            joint.qpos[:] = *xy, config.half_height, np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)
        integration = np.empty(self._simulator.num_integration)
        mujoco.mj_getState(model, data, integration, int(mujoco.mjtState.mjSTATE_INTEGRATION))
        state = np.concatenate([integration, parameters])
        return self._simulator.step(state[None], np.zeros((1, 4)))[0]

    def _force_slice(self) -> slice:
        """Return where the state keeps the external forces of the objects."""
        end = self._simulator.num_integration_before("XFRC_APPLIED") + 6 * self._simulator.reference.nbody
        return slice(end - 6 * self.num_objects, end)

    def _with_wind(self, row: Floats) -> Floats:
        """Put a random horizontal force on every object for the coming action."""
        force = np.zeros((self.num_objects, 6))
        force[:, :2] = self.np_random.normal(0.0, self.config.wind, (self.num_objects, 2))
        row = row.copy()
        row[0, self._force_slice()] = force.ravel()
        return row


def _placements(config: PushConfig, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw the hand's (2,) and the objects' (O, 2) places, apart from each other and from the walls."""
    object_limit = scene.BIN_HALF - config.object_radius - 0.02
    reach = scene.hand_radius(config) + config.object_radius + 0.01
    for _ in range(MAX_DRAWS):
        hand = rng.uniform(-config.hand_limit, config.hand_limit, 2)
        objects = rng.uniform(-object_limit, object_limit, (config.num_objects, 2))
        gaps = np.hypot(*(objects[:, None] - objects[None]).transpose(2, 0, 1))
        apart = gaps[np.triu_indices(config.num_objects, 1)].min(initial=1.0) > 2.2 * config.object_radius
        if apart and np.hypot(*(objects - hand).T).min() > reach:
            return hand, objects
    raise ValueError(f"no room for {config.num_objects} objects of this size in the bin; use fewer or smaller ones")
