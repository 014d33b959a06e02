"""Masked networks see every place before, and none else; what they draw has the probability that they give."""

import pytest
import torch

from vfplan.models.parts.masked import MaskedTrunk, draw_in_order, scaled
from vfplan.models.parts.pixel_heads import PixelHeads, picture, pixels

SIDE = 8


def parts(channels=1, width=3, dilations=(1, 2, 4), sources=0):
    torch.manual_seed(0)
    trunk, heads = MaskedTrunk(channels, width, dilations), PixelHeads(2 * width, channels, width=4, sources=sources)
    for parameter in [*trunk.parameters(), *heads.parameters()]:
        parameter.data += 0.2 * torch.randn_like(parameter)
    return trunk.double(), heads.double()


@pytest.mark.parametrize("place", range(SIDE**2))
def test_a_place_sees_all_places_before_it_and_no_other(place):
    """No blind spot, and no look ahead; read from the gradient."""
    trunk, _ = parts()
    rng = torch.Generator().manual_seed(place)
    seen = torch.randn(1, 1, SIDE, SIDE, generator=rng, dtype=torch.float64, requires_grad=True)
    trunk(seen, torch.zeros(1, 6, SIDE, SIDE, dtype=torch.float64)).flatten(2)[0, :, place].sum().backward()
    assert seen.grad.flatten().nonzero().flatten().tolist() == list(range(place))


def test_probabilities_of_all_pictures_of_two_pixels_sum_to_one():
    trunk, heads = parts(dilations=(1,))
    values = torch.cartesian_prod(*[torch.arange(256, dtype=torch.uint8)] * 2).view(-1, 1, 1, 2)
    condition = torch.randn(1, 6, 1, 2, dtype=torch.float64)
    features = trunk(scaled(values, condition), condition.expand(len(values), -1, -1, -1))
    nothing = torch.zeros(2 * len(values), 0, 1, dtype=torch.uint8)
    with torch.no_grad():
        nats = picture(heads.log_prob(pixels(features), pixels(values), nothing), values).sum((1, 2))
    assert nats.exp().sum().item() == pytest.approx(1, abs=1e-12)


def test_drawing_in_order_is_what_the_whole_picture_gives():
    """With the same noise every value follows from the features of the finished picture."""
    trunk, heads = parts(channels=3, sources=2)
    rng = torch.Generator().manual_seed(1)
    condition = torch.randn(2, 6, 4, 5, generator=rng, dtype=torch.float64)
    sources = torch.randint(256, (2, 2, 3, 4, 5), generator=rng, dtype=torch.uint8)
    noise = torch.randn(2, 3, 4, 5, generator=rng, dtype=torch.float64)
    with torch.no_grad():
        drawn = draw_in_order(trunk, heads, condition, sources, noise)
        features = trunk(scaled(drawn, condition), condition)
        again = heads.draw(pixels(features), pixels(sources), pixels(noise))
    assert len(drawn.unique()) > 20 and torch.equal(picture(again, drawn), drawn)
