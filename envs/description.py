"""What a data set says about the pushing environment that it comes from: read from its configuration alone."""

from typing import Any

import mujoco
import numpy as np

from envs import scene
from envs.scene import PushConfig

RENDERERS = {"ray": "ray-1", "gl": "gl-1"}  # what makes the pixels; frames of different ones should not be mixed


def describe(config: PushConfig) -> dict[str, Any]:
    """Return a description, JSON-able; the MJCF is one example where scenes differ from episode to episode."""
    parameters = scene.sample_parameters(config, np.random.default_rng(0))
    text = scene.mjcf(config, parameters)
    integration = mujoco.mj_stateSize(mujoco.MjModel.from_xml_string(text), int(mujoco.mjtState.mjSTATE_INTEGRATION))
    return {
        "name": config.name,
        "image_size": config.image_size,
        "renderer": RENDERERS[config.render],
        "mujoco": mujoco.__version__,
        "mjcf": text,
        "camera": {
            "position": list(config.camera.position),
            "target": list(config.camera.target),
            "fovy_degrees": config.camera.fovy_degrees,
        },
        "floor_to_pixel": config.camera.homography(config.image_size).tolist(),
        "action_scale": config.action_scale,
        "action_names": list(config.action_names),
        "switches": list(config.switches),
        "step_seconds": config.step_seconds,
        "object_names": scene.object_names(config),
        "state_size": integration + config.num_parameters,
    }
