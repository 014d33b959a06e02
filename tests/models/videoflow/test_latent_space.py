"""Images read through a VideoFlow: the latents that made them, and the model's own density of the next frame."""

import pytest
import torch

from tests.models.small_models import oracle, videoflow, videoflow_2019
from tests.models.test_world_model_contract import SIZE
from vfplan.models.base import Context
from vfplan.models.registry import latent_space
from vfplan.pixels import area_average, dequantise, unit_from_frames

ROWS = 2


def clip(frames, seed=0):
    """Frames (ROWS, frames, C, Y, X) and as many actions less one."""
    rng = torch.Generator().manual_seed(seed)
    shown = torch.randint(0, 256, (ROWS, frames, 3, SIZE, SIZE), generator=rng, dtype=torch.uint8)
    return shown, torch.rand(ROWS, frames - 1, 4, generator=rng) * 2 - 1


@pytest.mark.parametrize("make", [videoflow, videoflow_2019])
def test_latents_of_a_full_image_are_those_of_the_model(make):
    model, (frames, _) = make(), clip(1)
    own = model.latents(dequantise(frames[:, 0]))
    found = latent_space(model).latents(unit_from_frames(frames[:, 0]))
    assert len(found) == len(own)
    for mine, theirs in zip(found, reversed(own), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-5)


@pytest.mark.parametrize("downscale", [2, 4])
def test_a_thumbnail_has_the_coarse_latents_of_the_whole_image(downscale):
    space, (frames, _) = latent_space(videoflow()), clip(1)
    images = unit_from_frames(frames[:, 0])
    whole, part = space.latents(images), space.latents(area_average(images, downscale))
    assert len(part) < len(whole)
    for coarse, expected in zip(part, whole, strict=False):
        assert torch.allclose(coarse, expected, atol=1e-4)


@pytest.mark.parametrize("steps", [1, 2, 4])
@pytest.mark.parametrize("downscale", [1, 2, 4])
def test_the_density_of_the_next_frame_is_the_models_own(steps, downscale):
    """Up to the log-determinant, against a memory that saw everything at full size."""
    model = videoflow()
    past = model.past_frames
    frames, actions = clip(past + steps)
    memory = model.encode(Context(frames[:, :past], actions[:, : past - 1]))
    images = area_average(unit_from_frames(frames[:, past:]), downscale)
    found = latent_space(model).log_density(memory, images[:, :-1], actions[:, past - 1 :], images[:, -1])
    informed = model.encode(Context(frames[:, -past - 1 : -1], actions[:, -past:-1]))
    expected = []
    for level, (latent, coarse, _) in reversed(list(enumerate(model.split(dequantise(frames[:, -1]))))):
        expected.append(model.prior(level, informed, actions[:, -1], coarse).log_prob(latent))
    for mine, theirs in zip(found.unbind(1), expected, strict=downscale == 1):
        assert torch.allclose(mine, theirs, rtol=1e-4)


def test_a_simulator_has_no_latents():
    assert latent_space(oracle()) is None
