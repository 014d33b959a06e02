"""The OpenGL renderer, for large images: MuJoCo's own, headless through EGL, without shadows, 2 x 2 supersampled.

Its pixels depend on the driver, so frames of the two renderers should not be mixed in one data set.
"""

import importlib
import os
import weakref
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs import scene
from envs.scene import PushConfig

SUB = 2


class GlRenderer:
    """Draws one state at a time. Not for use from several threads.

    The context is made here and not by mujoco.Renderer, which decides on a backend when mujoco is first imported.
    """

    def __init__(self, config: PushConfig, model: mujoco.MjModel) -> None:
        self.config, self.pixels = config, SUB * config.image_size
        os.environ.setdefault("MUJOCO_GL", "egl")
        os.environ.setdefault("LP_NUM_THREADS", "0")  # with llvmpipe threads, a child forked after rendering hangs
        try:
            self._gl = _context_class(os.environ["MUJOCO_GL"])(self.pixels, self.pixels)
            self._gl.make_current()
            self._context = mujoco.MjrContext(model, int(mujoco.mjtFontScale.mjFONTSCALE_100))
        except Exception as error:  # the kind depends on which library is missing: AttributeError, ImportError, ...
            raise ValueError(
                "render=gl needs OpenGL through EGL, which does not start here: apt-get install libegl1 libopengl0"
                f" libgl1-mesa-dri, or use render=ray ({type(error).__name__}: {str(error).splitlines()[0][:80]})"
            ) from error
        # Freed before the interpreter goes down, when freeing would print an error.
        self.close = weakref.finalize(self, _free, self._context, self._gl)
        mujoco.mjr_setBuffer(int(mujoco.mjtFramebuffer.mjFB_OFFSCREEN), self._context)
        self._scene = mujoco.MjvScene(model, maxgeom=100)
        self._scene.flags[int(mujoco.mjtRndFlag.mjRND_SHADOW)] = 0

    def render(self, model: mujoco.MjModel, integration: NDArray[np.float64], hand_visible: bool) -> NDArray[np.uint8]:
        """Return the frame (Y, X, 3) of one integration state (I,) of `model`.

        Each episode may have its own model; one context draws them all, for they have no meshes or textures.
        """
        data = mujoco.MjData(model)
        mujoco.mj_setState(model, data, integration, int(mujoco.mjtState.mjSTATE_INTEGRATION))
        mujoco.mj_forward(model, data)
        option, camera = mujoco.MjvOption(), mujoco.MjvCamera()
        option.geomgroup[:] = 0
        option.geomgroup[[scene.STATIC, scene.OBJECT]] = 1
        option.geomgroup[scene.HAND] = hand_visible
        camera.type, camera.fixedcamid = int(mujoco.mjtCamera.mjCAMERA_FIXED), model.camera("camera").id
        self._gl.make_current()
        everything = int(mujoco.mjtCatBit.mjCAT_ALL)
        mujoco.mjv_updateScene(model, data, option, None, camera, everything, self._scene)
        viewport, image = mujoco.MjrRect(0, 0, self.pixels, self.pixels), np.empty((self.pixels,) * 2 + (3,), np.uint8)
        mujoco.mjr_render(viewport, self._scene, self._context)
        mujoco.mjr_readPixels(image, None, viewport, self._context)
        size = self.config.image_size
        blocks = image[::-1].astype(np.uint16).reshape(size, SUB, size, SUB, 3)  # OpenGL's rows start at the bottom
        return ((blocks.sum(axis=(1, 3)) + SUB * SUB // 2) // (SUB * SUB)).astype(np.uint8)


def _free(context: mujoco.MjrContext, gl: Any) -> None:
    context.free()
    gl.free()


def _context_class(backend: str) -> Any:
    """Return the class of off-screen contexts. Importing it is what first loads an OpenGL library."""
    name = "osmesa" if backend.lower() == "osmesa" else "egl"
    return importlib.import_module(f"mujoco.{name}").GLContext
