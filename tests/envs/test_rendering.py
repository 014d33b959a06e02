import os
import subprocess
import sys

import mujoco
import numpy as np
import pytest
from mujoco.batch import Batch

import envs
from envs import ray, scene
from envs.simulator import scene_model

PRESETS = ["push", "push_bair", "push_occluded", "push_clutter"]


def chroma(image):
    return np.ptp(image.astype(int), axis=-1)


def data_of(env):
    state = env.get_state()
    model = scene_model(env.config, state[-env.config.num_parameters :])
    data = mujoco.MjData(model)
    mujoco.mj_setState(model, data, state[: -env.config.num_parameters], int(mujoco.mjtState.mjSTATE_INTEGRATION))
    mujoco.mj_forward(model, data)
    return model, data


def cast_everything(env):
    """Cast nine rays per pixel at static and moving geoms alike: the model, geoms (Y, X, 9), normals (Y, X, 9, 3)."""
    model, _ = data_of(env)
    batch = Batch(model, 1, 1)
    batch.state[0] = env.get_state()[: -env.config.num_parameters]
    groups = np.ones(mujoco.mjNGROUP, np.uint8)
    groups[scene.UNUSED] = 0
    renderer = env._simulator._renderer
    _, geom, normal = batch.ray(renderer.eye, renderer.directions.reshape(-1, 3), geomgroup=groups, normal=True)
    return model, geom.reshape(64, 64, 9), normal.reshape(64, 64, 9, 3)


@pytest.fixture(params=PRESETS)
def env(request):
    env = envs.make(request.param)
    env.reset(seed=2)
    return env


def test_only_objects_have_colour(env):
    for seed in range(6):
        env.reset(seed=seed)
        image = env.render()
        model, geom, _ = cast_everything(env)
        of_object = model.geom_group[geom] == scene.OBJECT
        assert chroma(image)[of_object.all(axis=-1)].min(initial=255) > 40
        assert chroma(image)[~of_object.any(axis=-1)].max() == 0


def test_ray_hits_agree_with_mj_ray(env):
    model, data = data_of(env)
    simulator = env._simulator
    env.render()
    renderer = simulator._renderer
    batch = Batch(model, 1, 1)
    batch.state[0] = env.get_state()[: simulator.num_integration]
    where = np.arange(64 * 64)
    hits = renderer._cast(batch, 1, np.zeros_like(where), where, None, ray._groups(True))
    for pixel in np.random.default_rng(0).choice(where, 800, replace=False):
        geom = np.array([-1], np.int32)
        distance = mujoco.mj_ray(
            model, data, renderer.eye, renderer.centre_directions[pixel], ray._groups(True), 0, -1, geom
        )
        seen = geom[0] >= 0 and distance < renderer.sub_distance[pixel, ray.CENTRE]
        assert seen == hits.seen[pixel]
        if seen:
            assert geom[0] == hits.geom[pixel]


def test_cached_background_and_rectangles_equal_casting_every_pixel(env, monkeypatch):
    for seed in range(6):
        env.reset(seed=seed)
        for action in np.random.default_rng(seed).uniform(-1, 1, (4, 4)):
            env.step(action)
        fast = env.render()
        with monkeypatch.context() as patch:
            patch.setattr(
                ray.RayRenderer, "_rectangles", lambda self, hand, *_: np.ones((len(hand), self.size, self.size), bool)
            )
            np.testing.assert_array_equal(env.render(), fast)


def test_pixels_are_the_average_of_nine_rays_where_geoms_meet_the_floor(env):
    image = env.render()
    model, geom, normal = cast_everything(env)
    colour = model.geom_rgba[geom, :3] * env._simulator._renderer._brightness(normal)[..., None]
    full = colour.mean(axis=2) * 255
    blobbed = (geom == model.geom("floor").id).any(axis=2) & (env.config.blob > 0)
    difference = np.abs(image - full).max(axis=-1)[~blobbed]
    # Pixels inside one geom have one ray: a box's two side faces, or a round side, differ a little.
    assert np.quantile(difference, 0.98) <= 1.0 and difference.max() < 70


def test_frames_drawn_together_equal_frames_drawn_alone(env):
    simulator = envs.BatchSimulator(env.config, num_threads=2)
    states = np.stack([env.reset(seed=i)[0] and env.get_state() for i in range(70)])
    together = simulator.render(states)
    for i in range(0, 70, 7):
        env.set_state(states[i])
        np.testing.assert_array_equal(env.render(), together[i])


def test_goal_image_without_hand_differs_only_where_the_hand_was(env):
    with_hand, without = env.render(), env.render(hand_visible=False)
    changed = np.argwhere((with_hand != without).any(axis=-1))
    assert len(changed) > 10
    column, row, one = env.floor_to_pixel @ [*env.hand_xyz[:2], 1]
    x, y = column / one, row / one
    near = np.abs(changed[:, ::-1] + 0.5 - [x, y])
    assert near[:, 0].max() < 16  # the hand, its shadow and the arm, which leaves through the top
    assert (changed[:, 0] + 0.5 - y).max() < 10
    assert chroma(without)[chroma(with_hand) > 0].min() > 0  # the objects are still there


def test_homography_takes_object_centres_to_their_pixels():
    env = envs.make("push", half_height=0.002, camera=envs.config("push_bair").camera)  # flat: seen where it stands
    for seed in range(8):
        _, info = env.reset(seed=seed)
        column, row, one = env.floor_to_pixel @ [*info["object_xy"][0], 1]
        weight = chroma(env.render(hand_visible=False)).astype(float)
        ticks = np.arange(64) + 0.5
        centre = np.array([(weight.sum(0) * ticks).sum(), (weight.sum(1) * ticks).sum()]) / weight.sum()
        np.testing.assert_allclose(
            [column / one, row / one], centre, atol=0.35
        )  # pixels; perspective shifts a centroid


def test_ray_rendering_loads_no_opengl():
    code = "import sys, envs; e = envs.make('push'); e.reset(); assert not [m for m in sys.modules if 'OpenGL' in m]"
    # With MUJOCO_GL set, as drawing with OpenGL leaves it, mujoco itself would load it.
    elsewhere = {name: value for name, value in os.environ.items() if name != "MUJOCO_GL"}
    subprocess.run([sys.executable, "-c", code], check=True, env=elsewhere)


@pytest.mark.gl
def test_both_renderers_show_the_same_scene():
    for name in PRESETS:
        env = envs.make(name, blob=0.0)
        env.reset(seed=0)
        try:
            image = envs.make(name, render="gl").set_state(env.get_state())["image"]
        except ValueError as error:
            assert "render=ray" in str(error)
            pytest.skip(str(error))
        difference = np.abs(image.astype(int) - env.render())
        assert difference.mean() < 6 and chroma(image)[chroma(env.render()) == 0].mean() < 1
