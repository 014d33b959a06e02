"""Pixels' distributions: they sum to one, samples follow them, copies are exact and of whole pixels."""

import math

import pytest
import torch

from vfplan.models.parts.pixel_heads import PixelHeads, choose_value, neighbourhood, picture, pixels
from vfplan.statistics import chi_square_p_value

DRAWN = 20_000


def heads(channels=1, sources=3, dtype=torch.float64, spread=1.0):
    torch.manual_seed(0)
    made = PixelHeads(5, channels, width=6, sources=sources).to(dtype)
    for parameter in made.parameters():
        parameter.data += spread * torch.randn_like(parameter)
    return made


def features(rows, dtype=torch.float64):
    return torch.randn(1, 5, generator=torch.Generator().manual_seed(1)).to(dtype).expand(rows, -1)


def sources(rows, channels=1):
    """Three sources, the first two alike."""
    return torch.tensor([[7, 9], [7, 9], [7, 250]], dtype=torch.uint8)[:, :channels].expand(rows, -1, -1)


def every(channels):
    """All values (256 ** channels, channels) of a pixel."""
    return torch.cartesian_prod(*[torch.arange(256, dtype=torch.uint8)] * channels).view(-1, channels)


@pytest.mark.parametrize(("dtype", "error"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("count", [0, 3])
def test_probabilities_of_all_values_sum_to_one(dtype, error, channels, count):
    values = every(channels)
    given = sources(len(values), channels)[:, :count]
    found = heads(channels, count, dtype).log_prob(features(len(values), dtype), values, given)
    assert found.double().exp().sum().item() == pytest.approx(1, abs=error)


def test_draws_have_the_probabilities_of_the_values():
    """The 24 likeliest pixels of two channels, two of them copies, and all others together."""
    values, made = every(2), heads(2)
    expected = made.log_prob(features(len(values)), values, sources(len(values), 2)).exp()
    noise = torch.randn(DRAWN, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    drawn = made.draw(features(DRAWN), sources(DRAWN, 2), noise).long()
    counts = torch.bincount(256 * drawn[:, 0] + drawn[:, 1], minlength=len(values))
    likely = expected.topk(24).indices
    seen = torch.cat([counts[likely], DRAWN - counts[likely].sum().view(1)])
    wanted = torch.cat([expected[likely], 1 - expected[likely].sum().view(1)])
    assert {7 * 256 + 9, 7 * 256 + 250} <= set(likely.tolist())
    assert chi_square_p_value(seen.numpy(), (DRAWN * wanted).detach().numpy()) > 1e-3


def test_no_noise_is_the_median_and_opposite_noise_the_mirror_image():
    weights = torch.tensor([[0.2, 0.2, 0.2, 0.2, 0.2], [0.0, 0.1, 0.0, 0.9, 0.0]])
    assert choose_value(weights, torch.zeros(2)).tolist() == [2, 3]
    flat, noise = torch.ones(1000, 5), torch.randn(1000, generator=torch.Generator().manual_seed(0))
    assert torch.equal(choose_value(flat, noise), 4 - choose_value(flat, -noise))


@pytest.mark.parametrize("noise", [-40.0, -6.0, 0.0, 6.0, 40.0, math.nan])
def test_what_is_impossible_is_not_drawn(noise):
    weights = torch.tensor([[0.0, 0.3, 0.0, 1e-30, 0.7, 0.0]])
    assert choose_value(weights, torch.tensor([noise])).item() in ({0} if math.isnan(noise) else {1, 4})


def test_copies_are_of_whole_pixels():
    made = heads(2)
    made.choice.bias.data[-1] = -1e3
    noise = torch.randn(1000, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    drawn = {tuple(pixel) for pixel in made.draw(features(1000), sources(1000, 2), noise).tolist()}
    assert drawn == {(7, 9), (7, 250)}


def test_pixels_and_pictures_are_each_others_inverse():
    pictures = torch.randn(2, 3, 4, 5)
    rows = pixels(pictures)
    assert rows.shape == (40, 3) and torch.equal(rows[7], pictures[0, :, 1, 2])
    assert torch.equal(picture(rows, pictures), pictures)


def test_sources_are_the_pixels_around_and_the_edge_goes_on():
    frames, places = torch.arange(36).view(1, 1, 6, 6), torch.arange(0, 6, 2)
    found = neighbourhood(frames, 1, places, places + 1)
    assert found.shape == (1, 9, 1, 3, 3)
    assert found[0, :, 0, 1, 1].tolist() == [8, 9, 10, 14, 15, 16, 20, 21, 22]
    assert found[0, :, 0, 0, 2].tolist() == [4, 5, 5, 4, 5, 5, 10, 11, 11]
    assert neighbourhood(frames, 0, places, places).shape == (1, 0, 1, 3, 3)
