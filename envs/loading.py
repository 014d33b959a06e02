"""Loads MuJoCo. It loads the OpenGL that `MUJOCO_GL` names, although rays need none; what fails there is said here."""

import os

try:
    import mujoco as mujoco
except Exception as error:  # AttributeError, ImportError or RuntimeError, by what is missing
    backend = os.environ.get("MUJOCO_GL")
    advice = f"; MUJOCO_GL={backend} names an OpenGL that does not load: unset it" if backend else ""
    raise ImportError(f"mujoco does not load ({type(error).__name__}: {error}){advice}", name="mujoco") from error
