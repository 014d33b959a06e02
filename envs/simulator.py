"""Many states of one preset, stepped and drawn at once: what PushEnv runs on, and the planning oracle's hot path.

A state is a float64 row (S,): MuJoCo's integration state (from which a simulation continues bit for bit) followed by
the scene parameters (P,). A row says everything: rows of different scenes may be mixed freely.
"""

import os
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import mujoco
import numpy as np
from mujoco.batch import Batch
from numpy.typing import ArrayLike, NDArray

from envs import scene
from envs.gl import GlRenderer
from envs.ray import RayRenderer, hand_position, object_position
from envs.scene import PushConfig

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]

RENDER_CHUNK = 32  # rows drawn at once by one thread: their rays still fit into the second-level cache
CACHED_SCENES = 4096

JAW_OPEN, JAW_CLOSED = 0.024, 0.004  # m, jaw joint positions


class BatchSimulator:
    """Steps and draws states (B, S) of `config` on `num_threads` threads (None: all cores).

    One simulator is not for use from several threads at once.
    """

    def __init__(self, config: PushConfig, num_threads: int | None = None) -> None:
        self.config = config
        self.num_threads = num_threads or os.cpu_count() or 1
        self._models: OrderedDict[bytes, mujoco.MjModel] = OrderedDict()
        self.reference_parameters = scene.sample_parameters(config, np.random.default_rng(0))
        self.reference = scene_model(config, self.reference_parameters)
        self.num_integration = mujoco.mj_stateSize(self.reference, int(mujoco.mjtState.mjSTATE_INTEGRATION))
        self.state_size = self.num_integration + config.num_parameters
        self._stepper: Batch | None = None
        self._renderer: RayRenderer | None = None
        self._gl: GlRenderer | None = None
        self._painters: SimpleQueue[Batch] = SimpleQueue()
        self._pool: ThreadPoolExecutor | None = None

    def step(self, states: ArrayLike, actions: ArrayLike) -> Floats:
        """Return the states (B, S) after one action each, (B, 4) in [-1, 1]."""
        rows, action = self._check(states), np.clip(np.asarray(actions, dtype=np.float64), -1.0, 1.0)
        if action.shape != (len(rows), 4):
            raise ValueError(f"actions must have shape ({len(rows)}, 4), one per state; got {action.shape}")
        if len(rows) == 0:
            return rows.copy()
        if self._stepper is None or self._stepper.nsim < len(rows):
            self._stepper = Batch(self.reference, len(rows), self.num_threads)
        batch, ids = self._stepper, np.arange(len(rows), dtype=np.int32)
        self._load(batch, rows)
        batch.rollout(self.config.substeps, self._controls(rows, action), record=(), ids=ids)
        result = rows.copy()
        result[:, : self.num_integration] = batch.state[: len(rows)]
        return result

    def render(self, states: ArrayLike, hand_visible: bool = True) -> Bytes:
        """Return the frames (B, Y, X, 3) of states (B, S)."""
        rows = self._check(states)
        if self.config.render == "gl":
            return self._render_gl(rows, hand_visible)
        if self._renderer is None:
            self._renderer = RayRenderer(self.config, self.reference, RENDER_CHUNK)
        size = self.config.image_size
        frames = np.empty((len(rows), size, size, 3), dtype=np.uint8)
        chunks = [slice(i, min(i + RENDER_CHUNK, len(rows))) for i in range(0, len(rows), RENDER_CHUNK)]
        models = [self._models_of(rows[chunk]) for chunk in chunks]

        def paint(index: int) -> None:
            chunk = chunks[index]
            batch = self._painters.get()
            try:
                frames[chunk] = self._paint(batch, rows[chunk], models[index], hand_visible)
            finally:
                self._painters.put(batch)

        while self._painters.qsize() < min(self.num_threads, len(chunks)):
            self._painters.put(Batch(self.reference, RENDER_CHUNK, 1))
        if len(chunks) == 1 or self.num_threads == 1:
            for index in range(len(chunks)):
                paint(index)
        else:
            self._pool = self._pool or ThreadPoolExecutor(self.num_threads)
            list(self._pool.map(paint, range(len(chunks))))
        return frames

    def object_xy(self, states: ArrayLike) -> Floats:
        """Return the objects' centres (B, O, 2) in m."""
        return object_position(self.config, self._check(states))[:, :, :2].copy()

    def object_colours(self, states: ArrayLike) -> Floats:
        """Return the objects' own colours (B, O, 3) in [0, 1]."""
        rows = self._check(states)[:, -self.config.num_parameters :]
        return rows.reshape(len(rows), self.config.num_objects, -1)[:, :, 4:7].copy()

    def hand_xyz(self, states: ArrayLike) -> Floats:
        """Return the hands' (x, y, height above the lowest position), (B, 3) in m."""
        return hand_position(self.config, self._check(states))

    def num_integration_before(self, component: str) -> int:
        """Return where a component of mjSTATE_INTEGRATION (such as "XFRC_APPLIED") starts in a state."""
        bits = int(getattr(mujoco.mjtState, f"mjSTATE_{component}"))
        return mujoco.mj_stateSize(self.reference, int(mujoco.mjtState.mjSTATE_INTEGRATION) & (bits - 1))

    def close(self) -> None:
        """End the threads; the simulator starts new ones when it is used again."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
        if self._gl is not None:
            self._gl.close()
            self._gl = None

    def _check(self, states: ArrayLike) -> Floats:
        rows = np.asarray(states, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != self.state_size:
            raise ValueError(
                f"states of {self.config.name} must have shape (B, {self.state_size}); got {rows.shape}"
                " (was the state saved by another preset or another MuJoCo version?)"
            )
        return rows

    def _load(self, batch: Batch, rows: Floats, models: list[mujoco.MjModel] | None = None) -> None:
        """Put the states and their scenes into the first rows of `batch`."""
        models = self._models_of(rows) if models is None else models
        first = models[0]
        if all(model is first for model in models):
            batch.set_models(first)
        else:
            batch.set_models(models + [self.reference] * (batch.nsim - len(models)))
        batch.state[: len(rows)] = rows[:, : self.num_integration]

    def _models_of(self, rows: Floats) -> list[mujoco.MjModel]:
        """Return the compiled scene of each row, compiling each distinct scene once."""
        keys = [row.tobytes() for row in rows[:, self.num_integration :]]
        for key in keys:
            if key not in self._models:
                self._models[key] = scene_model(self.config, np.frombuffer(key))
        models = [self._models[key] for key in keys]
        while len(self._models) > CACHED_SCENES:
            self._models.popitem(last=False)
        return models

    def _render_gl(self, rows: Floats, hand_visible: bool) -> Bytes:
        if self._gl is None:
            self._gl = GlRenderer(self.config, self.reference)
        size = self.config.image_size
        frames = np.empty((len(rows), size, size, 3), dtype=np.uint8)
        for frame, row, model in zip(frames, rows, self._models_of(rows), strict=True):
            frame[:] = self._gl.render(model, row[: self.num_integration], hand_visible)
        return frames

    def _paint(self, batch: Batch, rows: Floats, models: list[mujoco.MjModel], hand_visible: bool) -> Bytes:
        assert self._renderer is not None
        self._load(batch, rows, models)
        if all(model is models[0] for model in models):
            colours = np.broadcast_to(models[0].geom_rgba[:, :3], (len(rows), models[0].ngeom, 3))
        else:
            colours = np.stack([model.geom_rgba[:, :3] for model in models])
        return self._renderer.render(batch, colours, hand_visible)

    def _controls(self, rows: Floats, action: Floats) -> Floats:
        """Return servo targets (B, substeps, U): from where the hand is to where the action wants it, then hold.

        The ramp starts at the hand's actual position, not at its last target: a hand that was blocked does not have to
        unwind first, and the state needs no memory of targets.
        """
        config = self.config
        base = rows[:, 1 : 1 + self.reference.nu].copy()
        goal = base.copy()
        goal[:, :2] = np.clip(base[:, :2] + config.action_scale * action[:, :2], -config.hand_limit, config.hand_limit)
        if config.hand == "gripper":
            goal[:, 2] = np.where(action[:, 2] > 0, config.lift_height, 0.0)
            goal[:, 3:5] = np.where(action[:, 3] > 0, JAW_CLOSED, JAW_OPEN)[:, None]
        ramp = np.minimum((np.arange(config.substeps) + 1) / (config.ramp * config.substeps), 1.0)
        return np.asarray(base[:, None] + (goal - base)[:, None] * ramp[None, :, None])


def scene_model(config: PushConfig, parameters: Floats) -> mujoco.MjModel:
    """Compile the scene with these parameters (P,)."""
    return mujoco.MjModel.from_xml_string(scene.mjcf(config, parameters))
