"""Components as layers: full colours to their edges, bounded sizes, nothing where nothing is opaque."""

import math

import pytest
import torch

from vfplan.models.parts.painter import Painter
from vfplan.models.parts.pyramid import PyramidConfig
from vfplan.models.parts.sprites import Sprites

POSES = torch.tensor([[[0.0, 0.1, -0.3], [3.0, -0.4, 0.2]]])


def sprites():
    torch.manual_seed(0)
    return Sprites(PyramidConfig(widths=(4, 8)), 3, 5, 6, side=8, size=0.25)


def flat(opacity):
    """Two pictures (1, 2, 4, 8, 8) of one colour each."""
    colours = torch.tensor([[0.2, 0.4, 0.6], [0.9, 0.5, 0.1]])
    pictures = torch.cat([colours, torch.full((2, 1), opacity)], dim=1)
    return pictures[None, :, :, None, None].expand(-1, -1, -1, 8, 8)


def test_colours_do_not_fade_towards_edges():
    for layer, (colour, opacity) in enumerate(sprites().layers(flat(1.0), POSES, 32)):
        partly = (opacity > 0.01) & (opacity < 0.99)
        assert partly.any() and (opacity > 0.999).any()
        seen = colour.masked_select(opacity > 0.01).view(3, -1)
        assert torch.allclose(seen, flat(1.0)[0, layer, :3, :1, 0].expand_as(seen), atol=1e-4)


def test_what_is_not_opaque_is_not_seen():
    background = torch.rand(1, 3, 32, 32)
    assert torch.allclose(sprites().over(background, flat(0.0), POSES), background)
    later = sprites().over(background, flat(1.0), POSES * torch.tensor([1.0, 0, 0]))[0, :, 15:17, 15:17]
    assert torch.allclose(later, flat(1.0)[0, 1, :3, :1, :1].expand_as(later), atol=1e-5)  # the last one is on top


@pytest.mark.parametrize("log_size", [-100.0, 0.0, 100.0])
def test_sizes_stay_near_the_usual_one(log_size):
    boxes = sprites().boxes(torch.tensor([log_size, 0.3, 0.4]))
    assert math.isclose(boxes[0], 0.25 * math.exp(0.5 * math.tanh(log_size)), rel_tol=1e-6)
    assert boxes[1:].tolist() == pytest.approx([0.3, 0.4])


@torch.no_grad()
def test_contents_are_of_what_lies_at_a_pose():
    """What is elsewhere in the image makes no difference; what is there does."""
    images = torch.rand(1, 1, 3, 32, 32)
    far, near = images.clone(), images.clone()
    far[..., 24:, 24:], near[..., 10:13, 16:19] = 0, 0
    poses = POSES[:, None, :1]
    found = [sprites().contents(seen, poses).mean for seen in (images, far, near)]
    assert torch.equal(found[0], found[1]) and not torch.allclose(found[0], found[2])


@torch.no_grad()
def test_painters_paint_each_row_by_itself():
    torch.manual_seed(0)
    painter, codes = Painter(5, (4, 8), 2, 3), torch.randn(3, 5)
    assert painter(codes).shape == (3, 2, 12, 12)
    assert torch.allclose(painter(codes)[1:2], painter(codes[1:2]), atol=1e-6)
