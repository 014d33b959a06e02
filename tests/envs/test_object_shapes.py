"""Objects that stand flat: their mass and inertia are those of the solid that is drawn."""

import numpy as np
import pytest

import envs
from envs import scene
from envs.shapes import BARS, SHAPES, compound
from envs.simulator import scene_model

HALF = (0.035, 0.03, 0.024)
DENSITY = 300.0


def covered(shape, points):
    """Whether points (K, 2) lie in one of the placed bars."""
    inside = np.zeros(len(points), bool)
    for bar in compound(shape, *HALF, DENSITY).bars:
        away = points - bar.centre
        along = np.cos(bar.yaw) * away[:, 0] + np.sin(bar.yaw) * away[:, 1]
        across = np.cos(bar.yaw) * away[:, 1] - np.sin(bar.yaw) * away[:, 0]
        inside |= (np.abs(along) < bar.half[0]) & (np.abs(across) < bar.half[1])
    return inside


@pytest.mark.parametrize("shape", BARS)
def test_mass_and_inertia_are_those_of_the_solid(shape):
    step = 2e-4
    axis = np.arange(-0.07, 0.07, step) + step / 2
    points = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    solid = points[covered(shape, points)]
    column = DENSITY * 2 * HALF[2] * step**2
    whole, mass = compound(shape, *HALF, DENSITY), column * len(solid)
    assert whole.mass == pytest.approx(mass, rel=0.02)
    assert np.abs(solid.mean(axis=0)).max() < 2e-4  # m
    (along_x, product), (_, along_y) = column * solid.T @ solid
    height = mass * HALF[2] ** 2 / 3
    assert whole.inertia == pytest.approx((along_y + height, along_x + height, along_x + along_y), rel=0.03)
    assert abs(product) < 0.01 * along_x  # the axes are the principal ones


@pytest.mark.parametrize("shape", SHAPES)
def test_an_object_left_alone_stays_where_it_is(shape):
    config = scene.PushConfig(shapes=(shape,), hue=(0.0, 1.0))
    env = envs.PushEnv(config)
    for seed in range(3):
        env.reset(seed=seed)
        start = env.object_xy
        for _ in range(5):
            env.step(np.zeros(4, np.float32))
        assert np.abs(env.object_xy - start).max() < 1e-4  # m


def test_all_shapes_share_one_memory_layout():
    config = scene.PRESETS["push_bair"]
    assert set(config.shapes) == set(SHAPES)
    sizes = set()
    for index in range(len(SHAPES)):
        parameters = scene.sample_parameters(config, np.random.default_rng(index)).reshape(config.num_objects, -1)
        parameters[:, 0] = index
        model = scene_model(config, parameters.ravel())
        sizes.add((model.nbody, model.ngeom, model.nq, model.nbvh, model.nmesh, model.nM, model.nC))
    assert len(sizes) == 1
