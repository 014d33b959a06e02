"""One contract over every world model: what control relies on."""

import numpy as np
import pytest
import torch

from envs.push import PushEnv
from tests.models.small_models import MODELS, UNSCORED, oracle, videoflow
from vfplan.models.base import Context, LikelihoodModel, WorldModel
from vfplan.models.parts.pixel_video import PixelVideo
from vfplan.models.parts.video_model import VideoModel
from vfplan.models.trainable import TrainableModel
from vfplan.models.videoflow.model import VideoFlow
from vfplan.pixels import area_average, dequantise, frames_from_unit, unit_from_frames

ROWS, STEPS, SIZE = 3, 3, 64


@pytest.fixture(params=MODELS, ids=lambda make: make.__name__)
def model(request):
    return request.param()


@pytest.fixture(scope="module")
def scene():
    """Frames (ROWS, 2, C, Y, X) and the states behind the newest of them."""
    env, frames, states = PushEnv(), [], []
    for row in range(ROWS):
        first = env.reset(seed=row)[0]["image"]
        second = env.step(np.zeros(4, np.float32))[0]["image"]
        frames.append(np.stack([first, second]))
        states.append(env.get_state())
    return torch.from_numpy(np.stack(frames)).permute(0, 1, 4, 2, 3), np.stack(states)


def size(model):
    """What the model draws in the time of a test; the others draw the scene as it is."""
    return model.config.image_size if isinstance(model, PixelVideo) else SIZE


def context(model, scene, rows=slice(None)):
    frames, states = scene
    past = model.past_frames
    shrunk = area_average(unit_from_frames(frames[rows, -past:]), SIZE // size(model))
    frames = frames_from_unit(shrunk)
    return Context(frames, torch.zeros(len(frames), past - 1, 4), states[rows] if model.reads_simulator else None)


def actions(rows=ROWS, steps=STEPS, seed=0):
    return torch.rand(rows, steps, 4, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@torch.no_grad()
def imagine(model, state, plan, noise=None, downscale=1, steps=None):
    if noise is None:
        noise = model.sample_noise(len(plan), plan.shape[1], torch.Generator().manual_seed(3), downscale=downscale)
    return model.decode(model.rollout(state, plan, noise, downscale=downscale), steps)


def test_is_a_world_model(model):
    assert isinstance(model, WorldModel)
    assert isinstance(model, LikelihoodModel) == (isinstance(model, TrainableModel) and not isinstance(model, UNSCORED))


def test_decodes_to_images_in_the_unit_range(model, scene):
    images = imagine(model, model.encode(context(model, scene)), actions())
    assert images.shape == (ROWS, STEPS, 3, size(model), size(model)) and images.dtype == torch.float32
    assert images.min() >= 0 and images.max() <= 1


def test_same_noise_gives_the_same_rollout(model, scene):
    state, plan = model.encode(context(model, scene)), actions()
    noise = model.sample_noise(ROWS, STEPS, torch.Generator().manual_seed(1))
    assert torch.equal(imagine(model, state, plan, noise), imagine(model, state, plan, noise))


def test_zero_noise_needs_no_generator_and_is_reproducible(model, scene):
    state, plan = model.encode(context(model, scene)), actions()
    zero = model.sample_noise(ROWS, STEPS, None)
    random = model.sample_noise(ROWS, STEPS, torch.Generator().manual_seed(1)).scaled(0.0)
    assert torch.allclose(imagine(model, state, plan, zero), imagine(model, state, plan, random), atol=1e-6)


def test_rows_do_not_depend_on_each_other(model, scene):
    plan = actions()
    noise = model.sample_noise(ROWS, STEPS, torch.Generator().manual_seed(1))
    together = imagine(model, model.encode(context(model, scene)), plan, noise)
    for row in range(ROWS):
        alone = slice(row, row + 1)
        single = imagine(model, model.encode(context(model, scene, alone)), plan[alone], noise.take(alone))
        assert torch.allclose(single, together[alone], atol=1e-5)


def test_the_first_frames_do_not_depend_on_later_actions(model, scene):
    state, plan, other = model.encode(context(model, scene)), actions(seed=0), actions(seed=9)
    other[:, :2] = plan[:, :2]
    noise = model.sample_noise(ROWS, STEPS, torch.Generator().manual_seed(1))
    assert torch.equal(imagine(model, state, plan, noise)[:, :2], imagine(model, state, other, noise)[:, :2])


def test_repeating_a_state_is_encoding_copies(model, scene):
    plan = actions().repeat_interleave(2, dim=0)
    state = model.encode(context(model, scene))
    noise = model.sample_noise(2 * ROWS, STEPS, torch.Generator().manual_seed(1))
    repeated = imagine(model, state.repeat(2), plan, noise)
    rows = torch.arange(ROWS).repeat_interleave(2)
    assert torch.allclose(repeated, imagine(model, state.take(rows), plan, noise), atol=1e-6)


def test_chosen_steps_are_those_of_the_whole(model, scene):
    state, plan = model.encode(context(model, scene)), actions()
    assert torch.equal(imagine(model, state, plan, steps=[2, 0]), imagine(model, state, plan)[:, [2, 0]])


def test_thumbnails_are_area_averages_or_refused(model, scene):
    if isinstance(model, VideoFlow) and not model.area_averages:
        with pytest.raises(ValueError, match=r"downscale must be one of \[1\]; got 4"):
            model.sample_noise(ROWS, STEPS, None, downscale=4)
        return
    state, plan = model.encode(context(model, scene)), actions()
    noise = model.sample_noise(ROWS, STEPS, torch.Generator().manual_seed(1))
    if isinstance(model, VideoFlow):
        noise = noise.scaled(0.01)  # clamping to [0, 1] does not commute with averaging; stay inside
    full, thumbnail = imagine(model, state, plan, noise), imagine(model, state, plan, noise, downscale=4)
    inside = area_average(((full > 0) & (full < 1)).float(), 4) == 1
    if isinstance(model, VideoModel):  # its images are within the range before they are averaged
        inside = torch.ones_like(thumbnail, dtype=torch.bool)
    assert inside.float().mean() > 0.5
    assert torch.allclose(thumbnail[inside], area_average(full, 4)[inside], atol=1e-4)


def test_no_call_changes_the_model(model, scene):
    parameters = dict(model.state_dict()) if isinstance(model, torch.nn.Module) else {}
    before = {name: value.clone() for name, value in parameters.items()}
    state, plan = model.encode(context(model, scene)), actions()
    noise = model.sample_noise(ROWS, STEPS, torch.Generator().manual_seed(1))
    first = imagine(model, state, plan, noise)
    imagine(model, model.encode(context(model, scene)), actions(seed=5))
    assert torch.equal(imagine(model, state, plan, noise), first)  # neither the model nor the state has moved on
    assert all(torch.equal(value, before[name]) for name, value in parameters.items())


def test_likelihoods_sum_to_their_levels_and_depend_on_the_actions(model, scene):
    if not isinstance(model, LikelihoodModel):
        return
    seen, plan = context(model, scene), actions()
    frames = seen.frames[:, -1:].expand(-1, STEPS, -1, -1, -1)
    with torch.no_grad():
        found = model.log_prob(seen, plan, frames, torch.Generator().manual_seed(0))
        again = model.log_prob(seen, plan, frames, torch.Generator().manual_seed(0))
        other = model.log_prob(seen, -plan, frames, torch.Generator().manual_seed(0))
    assert torch.allclose(found.per_level.sum(2), found.per_frame, rtol=1e-5)
    assert torch.equal(found.per_frame, again.per_frame)
    assert not torch.allclose(found.per_frame, other.per_frame)


def test_a_scale_that_does_not_divide_is_refused(model):
    if isinstance(model, PixelVideo):
        with pytest.raises(ValueError, match="downscale must divide the image size 8; got 3"):
            model.sample_noise(ROWS, STEPS, None, downscale=3)


def test_exact_probabilities_need_no_noise(model, scene):
    if not isinstance(model, PixelVideo):
        return
    seen, plan = context(model, scene), actions()
    frames = seen.frames[:, -1:].expand(-1, STEPS, -1, -1, -1)
    with torch.no_grad():
        found, again = (model.log_prob(seen, plan, frames, torch.Generator().manual_seed(seed)) for seed in (0, 1))
        cells = model.cell_log_prob(seen, plan[:, 0], frames[:, 0])
    assert model.bound == "exact" and torch.equal(found.per_frame, again.per_frame)
    assert torch.allclose(cells.sum((1, 2)), found.per_frame[:, 0], rtol=1e-5)


def test_a_frame_is_the_image_of_its_latents(model, scene):
    """Inverse error in float32, of a pixel range of one, on frames and on samples at temperature 1."""
    if not isinstance(model, VideoFlow):
        return
    state = model.encode(context(model, scene))
    noise = model.sample_noise(ROWS, STEPS, torch.Generator().manual_seed(1))
    with torch.no_grad():
        sampled = model.rollout(state, actions(), noise).images[:, -1]
        for images in (dequantise(scene[0][:, -1]), sampled):
            assert (model.image(model.latents(images)) - images).abs().max() < 1e-4


def test_antithetic_noise_is_each_row_and_its_negative():
    noise = videoflow().sample_noise(2, 1, torch.Generator().manual_seed(0)).antithetic()
    for level in noise.levels:
        for tensor in (level.values, level.choices, level.component):
            if tensor is not None:
                assert tensor.shape[0] == 4
                assert torch.equal(tensor[0::2], -tensor[1::2])


def test_the_oracle_is_the_simulator(scene):
    model, env = oracle(), PushEnv()
    plan = actions()
    images = imagine(model, model.encode(context(model, scene)), plan)
    for row in range(ROWS):
        env.reset(seed=0)
        env.set_state(scene[1][row])
        for step in range(STEPS):
            frame = env.step(plan[row, step].numpy())[0]["image"]
            expected = (torch.from_numpy(frame).permute(2, 0, 1).float() + 0.5) / 256
            assert torch.equal(images[row, step], expected)


def test_the_oracle_needs_the_simulator_state(scene):
    with pytest.raises(ValueError, match="sim_state"):
        oracle().encode(Context(scene[0], torch.zeros(ROWS, 1, 4)))
