"""Kernels and shares are probabilities, and what they are said to move they move exactly."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from vfplan.models.parts.composition import Composition, Masks
from vfplan.models.parts.emission import build_emission
from vfplan.models.parts.warp import PLACES, RADIUS, Cdna, Dna, around, composited, normalised
from vfplan.pixels import frames_from_unit

ROWS, SIZE, WIDTH, CODE, KERNELS = 2, 6, 5, 7, 3


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def random(*shape, seed=0):
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


def image(seed=0):
    return torch.rand(ROWS, 3, SIZE, SIZE, generator=seeded(seed), dtype=torch.float64)


@pytest.fixture(params=["cdna", "dna"])
def mover(request):
    torch.manual_seed(0)
    return (Cdna(CODE, KERNELS) if request.param == "cdna" else Dna(WIDTH)).double()


def one_place(dy, dx):
    """The kernel (1, 1, D, 1, 1) that takes every pixel from dy rows below and dx columns to the right."""
    place = (RADIUS + dy) * (2 * RADIUS + 1) + RADIUS + dx
    return functional.one_hot(torch.tensor(place), PLACES).double().view(1, 1, PLACES, 1, 1)


def test_kernels_are_positive_and_sum_to_one(mover):
    kernels = mover.kernels(10 * random(ROWS, CODE, 1, 1), 10 * random(ROWS, WIDTH, SIZE, SIZE))
    assert kernels.shape[:3] == (ROWS, mover.count, PLACES) and (kernels > 0).all()
    assert torch.allclose(kernels.sum(2), torch.ones_like(kernels[:, :, 0]), atol=1e-12)


def test_a_still_scene_stays():
    """Of one colour, whatever the kernel; and whatever the scene, if all of the kernel is in its middle."""
    flat = image()[..., :1, :1].expand(-1, -1, SIZE, SIZE)
    moved = Cdna(CODE, KERNELS).moved(flat, normalised(random(ROWS, KERNELS, PLACES, 1, 1)))
    assert torch.allclose(moved, flat[:, None].expand_as(moved), atol=1e-12)
    assert torch.equal(Cdna(CODE, 1).moved(image()[:1], one_place(0, 0))[:, 0], image()[:1])


@pytest.mark.parametrize(("dy", "dx"), [(0, 0), (0, -1), (2, 1), (-2, -2)])
def test_a_kernel_of_one_place_shifts(dy, dx):
    before = image()
    moved = Cdna(CODE, 1).moved(before, one_place(dy, dx).expand(ROWS, -1, -1, -1, -1))[:, 0]
    rows = (torch.arange(SIZE) + dy).clamp(0, SIZE - 1)
    columns = (torch.arange(SIZE) + dx).clamp(0, SIZE - 1)
    assert torch.equal(moved, before[:, :, rows][..., columns])


def test_cdna_is_a_convolution_and_dna_that_of_each_place():
    before, kernels = image(), normalised(random(ROWS, KERNELS, PLACES, 1, 1))
    moved = Cdna(CODE, KERNELS).moved(before, kernels)
    padded = functional.pad(before, (RADIUS,) * 4, mode="replicate")
    for row in range(ROWS):
        weight = kernels[row].view(KERNELS, 1, 2 * RADIUS + 1, 2 * RADIUS + 1)
        assert torch.allclose(moved[row], functional.conv2d(padded[row][:, None], weight).transpose(0, 1), atol=1e-12)
    everywhere = kernels[:, :1].expand(-1, -1, -1, SIZE, SIZE)
    assert torch.allclose(Dna(WIDTH).moved(before, everywhere)[:, 0], moved[:, 0], atol=1e-12)


def test_the_middle_of_what_is_around_is_the_image():
    assert torch.equal(around(image())[:, PLACES // 2], image())


@pytest.mark.parametrize("channels", [0, 3])
def test_shares_sum_to_one(channels):
    torch.manual_seed(0)
    masks = Masks(WIDTH, 4, channels=channels, kernel=3).double()
    sources = torch.rand(ROWS, 4, 3, SIZE, SIZE, generator=seeded(), dtype=torch.float64)
    shares = masks(10 * random(ROWS, WIDTH, SIZE, SIZE), sources).exp()
    assert shares.shape == (ROWS, 4, SIZE, SIZE)
    assert torch.allclose(shares.sum(1), torch.ones_like(shares[:, 0]), atol=1e-12)
    other = masks(10 * random(ROWS, WIDTH, SIZE, SIZE), 1 - sources).exp()
    assert torch.equal(shares, other) == (channels == 0)


def test_what_is_composed_lies_between_its_sources():
    sources = torch.rand(ROWS, 4, 3, SIZE, SIZE, generator=seeded(), dtype=torch.float64)
    found = composited(sources, random(ROWS, 4, SIZE, SIZE).log_softmax(1))
    assert (found >= sources.amin(1)).all() and (found <= sources.amax(1)).all()


def composition(mover, emission, others):
    torch.manual_seed(0)
    paint, masks = nn.Conv2d(WIDTH, 3, 1), Masks(WIDTH, mover.count + 2 + others)
    return Composition(mover, masks, paint, WIDTH, 3, build_emission(emission, 3, SIZE, others)).double()


def composed(mover, emission, others):
    images = (image(), image(1))[: others + 1]
    return composition(mover, emission, others)(random(ROWS, CODE, 1, 1), random(ROWS, WIDTH, SIZE, SIZE), images)


@pytest.mark.parametrize("others", [0, 1])
@pytest.mark.parametrize("emission", ["sigma", "laplace", "gaussian", "copy"])
def test_a_composition_is_what_the_emission_is_made_of(mover, emission, others):
    emitted = build_emission(emission, 3, SIZE, others).double()(composed(mover, emission, others), image())
    assert emitted.image.shape == image().shape and torch.isfinite(emitted.log_mass(image().mul(255).byte())).all()


def test_the_mean_of_copies_is_the_composed_image(mover):
    """One reading of the shares has the mean of the other: of all places around, another image and the painted one."""
    logits, painted, _, first = composed(mover, "copy", 1).split([PLACES + 2, 3, 3, 3], 1)
    near, other, paint = logits.exp()[:, :, None].split([PLACES, 1, 1], 1)
    mean = (around(image()) * near).sum(1) + first * other[:, 0] + (0.5 + painted) * paint[:, 0]
    assert torch.equal(first, image(1)) and torch.allclose(logits.exp().sum(1), torch.ones(()).double(), atol=1e-9)
    assert torch.allclose(mean, 0.5 + composed(mover, "sigma", 1), atol=1e-9)


@torch.no_grad()
def test_copies_of_another_image_sum_to_one_over_all_values():
    """Of one channel, so that all 256 values of a pixel can be tried."""
    emission = build_emission("copy", 1, SIZE, 1).double()
    output = random(1, emission.outputs, SIZE, SIZE).abs()
    emitted = emission(output, torch.rand(1, 1, SIZE, SIZE, generator=seeded(), dtype=torch.float64))
    frames = torch.arange(256, dtype=torch.uint8).view(256, 1, 1, 1, 1).expand(-1, 1, 1, SIZE, SIZE)
    total = torch.stack([emitted.log_mass(frame)[0] for frame in frames]).exp().sum(0)
    assert (total - 1).abs().max() < 1e-5


@torch.no_grad()
def test_what_is_only_in_the_first_image_is_copied_exactly():
    first, last = image(1), image()
    copies = torch.full((ROWS, PLACES + 2, SIZE, SIZE), -40.0, dtype=torch.float64)
    copies[:, PLACES] = 40
    others = torch.zeros(ROWS, 6, SIZE, SIZE, dtype=torch.float64)
    emitted = build_emission("copy", 3, SIZE, 1).double()(torch.cat([copies, others, first], 1), last)
    assert torch.equal(emitted.image, first)
    assert emitted.log_prob(frames_from_unit(first)).abs().max() < 1e-9


def test_one_kernel_learns_a_shift_by_one_pixel():
    """Random scenes, the same way each time: a squared error below 1e-4 in 300 steps."""
    torch.manual_seed(0)
    mover, rng = Cdna(1, 1), seeded()
    optimiser = torch.optim.Adam(mover.parameters(), 3e-2)
    for _ in range(300):
        before = torch.rand(8, 3, SIZE, SIZE, generator=rng)
        after = around(before)[:, PLACES // 2 - 1]
        kernels = mover.kernels(torch.ones(8, 1, 1, 1), before)
        loss = (mover.moved(before, kernels)[:, 0] - after).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss < 1e-4
