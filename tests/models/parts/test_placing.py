"""Placing and cropping undo each other, and put things where poses say."""

import math

import pytest
import torch

from vfplan.models.parts.placing import composite, crop, place


def smooth(side, rows=3):
    """Pictures of slow waves that vanish at their edges."""
    along = (torch.arange(side, dtype=torch.float64) + 0.5) / side
    window = (math.pi * along).sin().square()
    waves = torch.stack([(1.5 + (math.pi * (along + row / 3)).cos()) * window for row in range(rows)])
    return (waves[:, :, None] * waves[:, None, :])[:, None].expand(-1, 3, -1, -1)


def poses(rows=3, seed=0):
    rng = torch.Generator().manual_seed(seed)
    size = 0.3 + 0.3 * torch.rand(rows, 1, generator=rng, dtype=torch.float64)
    return torch.cat([size, 0.4 * (2 * torch.rand(rows, 2, generator=rng, dtype=torch.float64) - 1)], dim=1)


@pytest.mark.parametrize("seed", range(3))
def test_what_was_placed_is_cropped_again(seed):
    """Less than 1 % of the range is lost to interpolation."""
    pictures, given = smooth(32), poses(seed=seed)
    again = crop(place(pictures, given, 128), given, 32)
    assert (again - pictures).abs().max() < 0.01 * pictures.max()


def test_what_was_cropped_is_placed_again():
    images, given = smooth(64), poses()
    inside = place(torch.ones(3, 1, 48, 48, dtype=torch.float64), given, 64) == 1
    again = place(crop(images, given, 48), given, 64)
    assert inside.float().mean() > 0.05
    assert ((again - images).abs() * inside).max() < 0.01 * images.max()


def test_whole_pixels_are_moved_exactly():
    """A picture of 8 in an image of 32, its middle 4 pixels right of and 8 above that of the image."""
    picture = torch.rand(1, 2, 8, 8, dtype=torch.float64)
    image = place(picture, torch.tensor([[8 / 32, 4 / 16, -8 / 16]], dtype=torch.float64), 32)
    expected = torch.zeros(1, 2, 32, 32, dtype=torch.float64)
    expected[:, :, 4:12, 16:24] = picture
    assert torch.allclose(image, expected, atol=1e-12)


def test_the_middle_of_what_is_placed_is_where_the_pose_says():
    given, bump = poses(), smooth(32)[:, :1]
    image = place(bump + bump.flip(2) + bump.flip(3) + bump.flip(2, 3), given, 64)[:, 0]
    places = (2 * torch.arange(64, dtype=torch.float64) + 1) / 64 - 1
    column, row = (image.sum(axis) @ places / image.sum((1, 2)) for axis in (1, 2))
    assert torch.allclose(torch.stack([column, row], dim=1), given[:, 1:], atol=1e-3)


def test_poses_have_the_gradient_of_their_function():
    picture = smooth(16, rows=1)
    given = poses(rows=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda pose: place(picture, pose, 16).square().sum(), given, eps=1e-7, atol=1e-4)


def test_layers_hide_what_is_below_by_their_opacity():
    background, red, blue = (torch.full((1, 3, 2, 2), value) for value in (0.0, 0.25, 1.0))
    opaque, half, none = (torch.full((1, 1, 2, 2), value) for value in (1.0, 0.5, 0.0))
    assert torch.equal(composite(background, []), background)
    assert torch.equal(composite(background, [(red, none)]), background)
    assert torch.equal(composite(background, [(red, opaque), (blue, opaque)]), blue)
    assert torch.equal(composite(background, [(red, opaque), (blue, half)]), torch.full_like(red, 0.625))
