"""Images that are halved, vectors in every place, and what is around each place."""

import pytest
import torch

from vfplan.models.parts.halving import halved
from vfplan.models.parts.planes import joined, planes
from vfplan.models.parts.shifts import shifts


@pytest.mark.parametrize(("side", "times", "left"), [(64, 3, 8), (20, 2, 5), (8, 0, 8)])
def test_what_is_left_doubled_as_often_is_the_image(side, times, left):
    assert halved(side, times, "") == left and left * 2**times == side


@pytest.mark.parametrize(("side", "times", "least"), [(20, 3, 0), (8, 0, 1), (8, -1, 0), (6, 2, 1)])
def test_what_cannot_be_halved_as_often_is_refused(side, times, least):
    with pytest.raises(ValueError, match=f"picture_side={side} cannot be halved for {times} widths"):
        halved(side, times, f"for {times} widths", least=least, called="picture_side")


def test_a_vector_is_the_same_in_every_place():
    vector, maps = torch.rand(2, 3), torch.rand(2, 5, 4, 6)
    assert (planes(vector, (4, 6)) == vector[..., None, None]).all()
    together = joined(maps, vector, maps)
    assert torch.equal(together[:, :5], maps) and torch.equal(together[:, 8:], maps)
    assert torch.equal(joined(vector, vector), torch.cat([vector, vector], dim=1))


@pytest.mark.parametrize(("beyond", "outside"), [("constant", 0.0), ("replicate", None)])
def test_shifts_show_what_is_around(beyond, outside):
    image = torch.rand(2, 3, 5, 4)
    places = list(shifts(image, 1, beyond))
    assert len(places) == 9 and torch.equal(places[4], image)
    assert torch.equal(places[5][..., :-1], image[..., 1:])
    edge = image[..., -1] if outside is None else torch.full_like(image[..., -1], outside)
    assert torch.equal(places[5][..., -1], edge)
