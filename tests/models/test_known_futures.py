"""Stochastic Movement in miniature: a square goes one of eight ways, which only a mixture of futures can say.

8x8 images, a 2x2 square in one of six colours at the centre, moved by two pixels in one of eight equally likely
directions: 3 bits per frame, and eight possible frames.
"""

import math

import pytest
import torch

from vfplan.models.base import Clip, Context
from vfplan.models.recipe import LearningConfig
from vfplan.models.videoflow.architecture import PriorConfig, VideoFlowConfig, assemble
from vfplan.statistics import chi_square_p_value
from vfplan.training.learner import Learner

COLOURS = torch.tensor(
    [[255, 0, 0], [0, 255, 0], [0, 0, 255], [0, 191, 191], [191, 0, 191], [191, 191, 0]], dtype=torch.uint8
)
DIRECTIONS = [(dx, dy) for dx in (-2, 0, 2) for dy in (-2, 0, 2) if (dx, dy) != (0, 0)]
ENTROPY = 3.0  # bits per frame
DRAWN = 400


def frame(colour, dx=0, dy=0):
    image = torch.zeros(3, 8, 8, dtype=torch.uint8)
    image[:, 3 + dy : 5 + dy, 3 + dx : 5 + dx] = colour[:, None, None]
    return image


START = torch.stack([frame(colour) for colour in COLOURS])
OUTCOMES = torch.stack([torch.stack([frame(colour, *way) for way in DIRECTIONS]) for colour in COLOURS])


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def draw(rows, seed):
    rng = seeded(seed)
    colour, way = (torch.randint(count, (rows,), generator=rng) for count in (6, 8))
    return torch.stack([START[colour], OUTCOMES[colour, way]], dim=1)


def trained(components):
    torch.manual_seed(0)
    priors = (PriorConfig((16,), (1,), "copy", 1, 1), PriorConfig((16,), (1,), "copy", components, 1))
    config = VideoFlowConfig(
        image_size=8, action_dim=0, past_frames=1, flow_steps=0, condition_dim=16, dequantisation_width=8, priors=priors
    )
    learning = LearningConfig(
        steps=800, batch=(64, 64), learning_rate=1e-2, warmup=30, beta=0.0, ema=0.99, history_noise=(0.0, 0.0),
        imagined_steps=0,
    )  # fmt: skip
    learner = Learner(assemble(config), learning, seed=0, device=torch.device("cpu"))
    for step in range(learning.steps):
        learner.step(Clip(draw(64, step), torch.zeros(64, 1, 0)))
    return learner.averaged.eval()


@torch.no_grad()
def bits_per_frame(model):
    frames = draw(512, seed=10_000)
    context, rng = Context(frames[:, :1], torch.zeros(512, 0, 0)), seeded(0)
    return -model.log_prob(context, torch.zeros(512, 1, 0), frames[:, 1:], rng).per_frame.mean().item() / math.log(2)


@torch.no_grad()
def shares(model, noise_samples=16):
    """The probability (8,) of each direction by the likelihood of its frame, averaged over the colours."""
    nothing, given = torch.zeros(8, 0, 0), []
    for colour in range(len(COLOURS)):
        context = Context(START[colour : colour + 1, None].expand(8, -1, -1, -1, -1), nothing)
        weights = [
            model.log_prob(context, nothing.view(8, 1, 0), OUTCOMES[colour][:, None], seeded(sample)).per_frame[:, 0]
            for sample in range(noise_samples)
        ]
        given.append(torch.stack(weights).double().logsumexp(0).softmax(0))
    return torch.stack(given).mean(0)


@torch.no_grad()
def samples(model):
    """Which outcome each of DRAWN sampled frames is nearest to, and how far it is from it, in grey levels (median)."""
    context = Context(START[:1, None].expand(DRAWN, -1, -1, -1, -1), torch.zeros(DRAWN, 0, 0))
    noise = model.sample_noise(DRAWN, 1, seeded(1))
    images = 256 * model.decode(model.rollout(model.encode(context), torch.zeros(DRAWN, 1, 0), noise))
    error = (images - OUTCOMES[:1].float()).square().mean(dim=(2, 3, 4)).sqrt()
    return torch.bincount(error.argmin(1), minlength=8), error.min(1).values.median().item()


def test_a_mixture_of_futures_knows_each_of_them_and_its_probability():
    model = trained(components=9)
    assert ENTROPY <= bits_per_frame(model) < ENTROPY + 0.5
    assert (8 * shares(model) - 1).abs().max() < 0.1
    counts, error = samples(model)
    assert error < 2
    assert chi_square_p_value(counts.numpy(), [DRAWN / 8] * 8) > 1e-3


def test_one_future_does_not():
    model = trained(components=1)
    assert bits_per_frame(model) > ENTROPY + 9
    assert samples(model)[1] > 10


@pytest.mark.parametrize("colour", range(6))
def test_outcomes_are_eight_different_frames_of_one_square(colour):
    assert len({tuple(outcome.flatten().tolist()) for outcome in OUTCOMES[colour]}) == 8
    assert torch.equal(OUTCOMES[colour].sum(dim=(2, 3)), START[colour].sum(dim=(1, 2)).expand(8, -1))
