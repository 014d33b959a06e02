"""Residual blocks change sides as they say, and so does what is made of them; rows never meet."""

import pytest
import torch

from vfplan.models.parts.resnet import ResNetBlock, ResNetDecoder, ResNetEncoder


@pytest.mark.parametrize(("change", "side"), [("half", 2), ("same", 4), ("double", 8)])
@pytest.mark.parametrize("outputs", [6, 8])
def test_a_block_changes_the_sides_as_it_says(change, side, outputs):
    torch.manual_seed(0)
    block = ResNetBlock(6, outputs, side, change).double()
    x = torch.randn(3, 6, 4, 4).double()
    together = block(x)
    assert together.shape == (3, outputs, side, side)
    assert torch.allclose(together[1:2], block(x[1:2]), atol=1e-12)


def test_an_encoder_tells_something_at_every_scale():
    """Down to a single pixel, where groups of one channel would be zero whatever is seen."""
    torch.manual_seed(0)
    encoder = ResNetEncoder(3, (8, 8, 8), 8).double()
    maps = encoder(torch.rand(4, 3, 8, 8).double())
    assert [each.shape[-1] for each in maps] == [4, 2, 1]
    assert all(each.std(0).max() > 1e-3 for each in maps)


def test_a_shortcut_carries_what_two_convolutions_do_not():
    """With convolutions of zero a block gives back what it was given, where that is positive."""
    block, x = ResNetBlock(4, 4, 4), torch.rand(2, 4, 4, 4)
    for convolution in (block.first, block.second):
        torch.nn.init.zeros_(convolution.weight)
        torch.nn.init.zeros_(convolution.bias)
    assert torch.equal(block(x), x)


@pytest.mark.parametrize("widths", [(6,), (4, 8, 8)])
def test_a_decoder_paints_rows_that_do_not_meet(widths):
    torch.manual_seed(0)
    decoder, codes = ResNetDecoder(5, widths, 7, 8).double(), torch.randn(3, 5).double()
    together = decoder(codes)
    assert together.shape == (3, 7, 8, 8)
    assert torch.allclose(together[1:2], decoder(codes[1:2]), atol=1e-12)
