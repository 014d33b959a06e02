"""Dequantisation: a value stays in its bin, and its density is the one reported."""

import pytest
import torch

from vfplan.models.videoflow.dequantisation import START_STD, LearnedDequantiser, UniformDequantiser
from vfplan.pixels import quantise


def frames(rows=4):
    rng = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (2, rows, 3, 6, 6), generator=rng, dtype=torch.uint8)


def learned():
    torch.manual_seed(0)
    dequantiser = LearnedDequantiser(3, width=5)
    for parameter in dequantiser.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    return dequantiser


@pytest.mark.parametrize("make", [UniformDequantiser, learned])
def test_a_dequantised_frame_is_still_that_frame(make):
    frame, previous = frames()
    image, log_q = make()(frame, previous, torch.Generator().manual_seed(1))
    assert torch.equal(quantise(image), frame)
    assert log_q.shape == (4,)


def test_log_q_is_the_density_of_the_placed_value():
    """By the change of variables: the normal density of the noise over the slope from noise to u, in float64."""
    dequantiser = learned().double()
    frame, previous = frames(2)
    rng = torch.Generator().manual_seed(3)
    noise = torch.randn(frame.shape, generator=rng, dtype=torch.float64).clamp(-3, 3).requires_grad_()
    image, log_q = dequantiser.place(frame, previous, noise)
    # Each value depends on its own noise only, so the gradient of the sum is the diagonal of the Jacobian.
    (slope,) = torch.autograd.grad(256 * image.sum(), noise)
    expected = torch.distributions.Normal(0, 1).log_prob(noise) - slope.log()
    assert torch.allclose(log_q, expected.flatten(1).sum(1), rtol=1e-6)


def test_a_fresh_dequantiser_is_nearly_normal_and_narrow():
    """As a copy is, whose log-density then differs from log q by next to nothing."""
    torch.manual_seed(0)
    frame, previous = frames(200)
    with torch.no_grad():
        image, log_q = LearnedDequantiser(3, width=5)(frame, previous, torch.Generator().manual_seed(0))
    u = (image + 0.5) * 256 - frame
    assert u.mean().item() == pytest.approx(0.5, abs=1e-3)
    assert u.std().item() == pytest.approx(START_STD, rel=0.02)
    normal = torch.distributions.Normal(0.5, START_STD).log_prob(u).flatten(1).sum(1)
    assert ((log_q - normal).mean() / frame[0].numel()).item() == pytest.approx(0.0, abs=2e-3)
