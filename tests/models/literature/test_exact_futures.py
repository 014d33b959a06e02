"""Models with exact probabilities, trained in seconds where the truth is known: they come close, and never below."""

import numpy as np
import pytest
import torch

from tests.models.literature.pixel_models import trained
from tests.models.test_known_futures import DRAWN, ENTROPY, OUTCOMES, START, bits_per_frame, draw, samples
from vfplan.data.known import Noise
from vfplan.metrics.likelihood import bits_per_dim
from vfplan.models.base import Clip, Context
from vfplan.models.literature.multiscale import MultiscaleConfig
from vfplan.models.literature.vpn import VPNConfig
from vfplan.statistics import chi_square_p_value

MOVING = {"image_size": 8, "action_dim": 0, "past_frames": 1}
NOISY = {"image_size": 16, "action_dim": 0, "copy_radius": 0}


def of_movement(kind):
    if kind == "vpn":
        return trained(VPNConfig(**MOVING, encoder_dilations=(1,), decoder_dilations=(1, 2, 4)), draw, steps=300)
    return trained(MultiscaleConfig(**MOVING, base=8, blocks=1), draw, steps=450, rows=16)


@pytest.mark.parametrize("kind", ["vpn", "multiscale"])
def test_eight_futures_are_known_by_whoever_draws_place_by_place(kind):
    model = of_movement(kind)
    assert ENTROPY - 0.05 <= bits_per_frame(model) < ENTROPY + 0.3
    counts, error = samples(model)
    assert error < 1
    assert chi_square_p_value(counts.numpy(), [DRAWN / 8] * 8) > 1e-3


def test_groups_that_are_drawn_at_once_pay_for_it():
    """Places of one group do not hear of each other: samples are torn, and bits are above the entropy."""
    model = trained(MultiscaleConfig(**MOVING, base=2), draw, steps=350)
    assert ENTROPY + 0.3 < bits_per_frame(model) < ENTROPY + 2.5
    context = Context(START[:1, None].expand(DRAWN, -1, -1, -1, -1), torch.zeros(DRAWN, 0, 0))
    noise = model.sample_noise(DRAWN, 1, torch.Generator().manual_seed(0))
    images = 256 * model.decode(model.rollout(model.encode(context), torch.zeros(DRAWN, 1, 0), noise))
    nearest = (images - OUTCOMES[:1].float()).square().mean((2, 3, 4)).sqrt().min(1).values
    assert (nearest > 2).float().mean() > 0.2


@pytest.mark.parametrize("config", [VPNConfig, MultiscaleConfig])
def test_what_stands_still_costs_next_to_nothing(config):
    def still(rows, seed):
        rng = torch.Generator().manual_seed(seed)
        return torch.randint(256, (rows, 1, 3, 8, 8), generator=rng, dtype=torch.uint8).expand(-1, 2, -1, -1, -1)

    model = trained(config(**MOVING), still, steps=80)
    clip = Clip(still(64, 10_000), torch.zeros(64, 1, 0))
    assert bits_per_dim(model, clip, torch.Generator()).per_step.mean() < 0.01


@pytest.mark.parametrize(
    ("config", "slack"),
    [
        (VPNConfig(**NOISY, encoder_dilations=(1,), decoder_dilations=(1,)), 0.05),
        (MultiscaleConfig(**NOISY, blocks=1, dilations=(1,)), 0.15),
    ],
    ids=["vpn", "multiscale"],
)
def test_sensor_noise_costs_its_entropy(config, slack):
    source = Noise(image_size=16)

    def noisy(rows, seed):
        episodes = [source.episode(seed, index).frames[:3] for index in range(rows)]
        return torch.from_numpy(np.stack(episodes)).movedim(-1, 2)

    model = trained(config, noisy, steps=300, rows=6)
    entropy = source.entropy_bits(0) / (3 * 16**2)
    bits = bits_per_dim(model, Clip(noisy(64, 10_000), torch.zeros(64, 2, 0)), torch.Generator()).per_step.mean()
    assert entropy - 0.01 <= bits < entropy + slack
