"""Futures of 10,000 steps: no context and no action makes latents or frames run away."""

import pytest
import torch

from vfplan.models.base import Context
from vfplan.models.videoflow.architecture import PriorConfig, VideoFlowConfig, assemble
from vfplan.models.videoflow.latents import LIMIT

SIZE, CHUNK = 8, 250
LEVELS = {
    "usual": (PriorConfig((4,), (1,), "copy", copy_radius=1), PriorConfig((4,), (1,), "faithful", advection_radius=1)),
    "mixtures": (PriorConfig((4,), (1,), components=2), PriorConfig((4,), (1,), "copy", components=2)),
}


def model(levels):
    """A small model with weights as large as trained ones."""
    torch.manual_seed(0)
    config = VideoFlowConfig(image_size=SIZE, past_frames=2, flow_width=4, condition_dim=8, priors=LEVELS[levels])
    model = assemble(config)
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return model.eval()


def contexts(rng):
    """Noise, black, white, and a checkerboard, three of each."""
    frames = torch.randint(0, 256, (4, 2, 3, SIZE, SIZE), generator=rng, dtype=torch.uint8)
    frames[1], frames[2] = 0, 255
    frames[3] = (torch.arange(SIZE)[:, None] + torch.arange(SIZE)) % 2 * 255
    return Context(frames.repeat(3, 1, 1, 1, 1), torch.rand(12, 1, 4, generator=rng) * 2 - 1)


def actions(rng):
    """In all corners at random, always in the same one, and a thousand times too large."""
    corners = torch.randint(0, 2, (4, CHUNK, 4), generator=rng) * 2.0 - 1
    return torch.cat([corners, torch.ones(4, CHUNK, 4), 1000 * torch.randn(4, CHUNK, 4, generator=rng)])


@pytest.mark.parametrize(("levels", "steps"), [("usual", 10_000), ("mixtures", 500)])
@torch.no_grad()
def test_latents_and_frames_stay_bounded(levels, steps):
    rng = torch.Generator().manual_seed(0)
    flow = model(levels)
    state = flow.encode(contexts(rng))
    for _ in range(steps // CHUNK):
        plan, noise = actions(rng), flow.sample_noise(12, CHUNK, rng)
        for step in range(CHUNK):
            image, state = flow.step(state, plan[:, step], noise.at(step), finest=0)
        assert image.abs().max() <= LIMIT
        for level, memory in enumerate(state.levels):
            assert memory.latents.abs().max() <= LIMIT * 2**level
            assert memory.coarse is None or memory.coarse.abs().max() <= LIMIT * 2 ** (level + 1)


@pytest.mark.parametrize("levels", LEVELS)
def test_the_limit_is_beyond_all_images(levels):
    """So nothing that can be seen is changed: neither latents of noise nor of the sharpest edges."""
    for level, memory in enumerate(model(levels).encode(contexts(torch.Generator().manual_seed(1))).levels):
        assert memory.latents.abs().max() < LIMIT * 2**level / 8
