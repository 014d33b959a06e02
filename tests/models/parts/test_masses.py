"""Emissions are probabilities of 256 levels: they sum to one, also where the density lies beyond the ends (G6)."""

import math

import pytest
import torch

from vfplan.models.parts.emission import build_emission
from vfplan.models.parts.masses import laplace_mass, logistic_mass, normal_mass

LEVELS = torch.arange(256, dtype=torch.uint8)
DENSITIES = {"normal": normal_mass, "logistic": logistic_mass, "laplace": laplace_mass}


@pytest.fixture(params=DENSITIES)
def mass(request):
    return DENSITIES[request.param]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("log_scale", [-6.0, -3.0, 0.0, 2.0])
@pytest.mark.parametrize("location", [-0.5, 0.0, 0.3, 0.77734375, 1.0, 1.5])
def test_levels_sum_to_one(mass, location, log_scale, dtype):
    given = torch.tensor(location, dtype=dtype), torch.tensor(log_scale, dtype=dtype)
    assert abs(mass(LEVELS, *given).exp().sum().item() - 1) < 1e-5


def test_masses_are_integrals_of_their_densities(mass):
    """Against the distribution functions of torch, where those have enough digits."""
    location, scale = torch.tensor(0.4, dtype=torch.float64), torch.tensor(0.2, dtype=torch.float64)
    standard = {
        normal_mass: torch.special.ndtr,
        logistic_mass: torch.sigmoid,
        laplace_mass: lambda x: 0.5 - 0.5 * x.sign() * torch.expm1(-x.abs()),
    }[mass]
    edges = torch.arange(1, 256, dtype=torch.float64) / 256
    below = torch.cat([torch.zeros(1), standard((edges - location) / scale), torch.ones(1)])
    assert torch.allclose(mass(LEVELS, location, scale.log()).exp(), below.diff(), atol=1e-12)


def test_far_levels_have_finite_masses_and_gradients(mass):
    location = torch.full((256,), 0.1, requires_grad=True)
    log_scale = torch.full((256,), -6.0, requires_grad=True)
    found = mass(LEVELS, location, log_scale)
    found.sum().backward()
    assert found.isfinite().all() and location.grad.isfinite().all() and log_scale.grad.isfinite().all()
    assert (location.grad[200:255] > 0).all() and (location.grad[:20] < 0).all()


@pytest.mark.parametrize("name", ["gaussian", "sigma", "laplace", "copy"])
def test_a_pixel_sums_to_one_over_all_its_values(name):
    """Of one channel, so that all 256 values of a pixel can be tried; at the border, where places are missing, too."""
    torch.manual_seed(0)
    emission = build_emission(name, 1, 4).double()
    output, last = torch.randn(1, emission.outputs, 4, 4).double(), torch.rand(1, 1, 4, 4).double()
    frames = LEVELS.view(256, 1, 1, 1).expand(-1, 1, 4, 4)
    with torch.no_grad():
        emitted = emission(output, last)
        total = torch.stack([emitted.log_mass(frame[None])[0] for frame in frames]).exp().sum(0)
    assert (total - 1).abs().max() < 1e-5


def test_copies_are_of_whole_pixels():
    """Two channels: all 65,536 values of a pixel sum to one only if they are copied together."""
    torch.manual_seed(0)
    emission = build_emission("copy", 2, 1).double()
    emitted = emission(torch.randn(1, emission.outputs, 1, 1).double(), torch.rand(1, 2, 1, 1).double())
    first, second = torch.meshgrid(LEVELS, LEVELS, indexing="ij")
    frames = torch.stack([first.flatten(), second.flatten()], dim=1)[..., None, None]
    total = emitted.log_mass(frames).exp().sum()
    assert math.isclose(total.item(), 1, abs_tol=1e-5)


def test_what_stands_still_is_copied_exactly():
    emission, last = build_emission("copy", 3, 8), torch.rand(2, 3, 8, 8)
    emitted = emission(torch.zeros(2, emission.outputs, 8, 8), last)
    assert torch.equal(emitted.image, last)


def test_a_shift_is_one_copied_place():
    """All weight on the place one to the left: the image moves to the right by a pixel."""
    emission, last = build_emission("copy", 3, 8), torch.rand(1, 3, 8, 8)
    output = torch.zeros(1, emission.outputs, 8, 8)
    output[:, 11] = 50.0  # row 2 of 0 to 4, column 1
    assert torch.equal(emission(output, last).image[..., 1:], last[..., :-1])
