"""Pyramids mirror themselves, and recurrent networks are functions; rows never meet."""

import pytest
import torch

from vfplan.models.parts.pyramid import Decoder, Encoder, PyramidConfig
from vfplan.models.parts.recurrent import ConvLstm, Lstm

STYLES = [PyramidConfig("strided", (4, 6)), PyramidConfig("pooled", (4, 6)), PyramidConfig("pooled", (4, 6), (1, 3))]


def pyramid(config, size, *, flat, outputs=5):
    torch.manual_seed(0)
    side = config.side(size)
    shape = (config, 3, 7, side), (config, outputs, 7, side)
    return Encoder(*shape[0], flat=flat).double(), Decoder(*shape[1], flat=flat).double()


@pytest.mark.parametrize("config", STYLES, ids=str)
@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize("size", [8, 16, 64])
def test_a_decoder_gives_back_the_size(config, flat, size):
    encoder, decoder = pyramid(config, size, flat=flat)
    code, skips = encoder(torch.rand(2, 3, size, size).double())
    assert code.shape == (2, 7) if flat else code.shape == (2, 7, size // 4, size // 4)
    assert code.abs().max() < 1 and len(skips) == 2
    assert decoder(code, skips).shape == (2, 5, size, size)


@pytest.mark.parametrize("config", STYLES, ids=str)
def test_rows_of_a_pyramid_do_not_meet(config):
    encoder, decoder = pyramid(config, 8, flat=True)
    images = torch.rand(3, 3, 8, 8).double()
    together = decoder(*encoder(images))
    alone = torch.cat([decoder(*encoder(images[row : row + 1])) for row in range(3)])
    assert torch.allclose(together, alone, atol=1e-12)


@pytest.mark.parametrize("config", STYLES, ids=str)
def test_skips_and_codes_reach_the_image(config):
    encoder, decoder = pyramid(config, 8, flat=True)
    code, skips = (lambda found: (found[0].detach(), [s.detach() for s in found[1]]))(
        encoder(torch.rand(1, 3, 8, 8).double())
    )
    inputs = [tensor.requires_grad_() for tensor in (code, *skips)]
    decoder(code, skips).square().sum().backward()
    assert all(tensor.grad.abs().sum() > 0 for tensor in inputs)


def test_an_image_that_cannot_be_halved_is_refused():
    with pytest.raises(ValueError, match="image_size=20 cannot be halved for 3"):
        PyramidConfig(widths=(4, 4, 4)).side(20)


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"widths": ()}, "widths needs"), ({"blocks": (1, 1, 1, 1)}, "style=pooled"), ({"widths": (0,)}, "must be in")],
)
def test_pyramids_that_are_none_are_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        PyramidConfig(**settings)


RECURRENT = [(Lstm(4, 6, 2), (4,)), (ConvLstm(4, 6, 2, side=5), (4, 5, 5))]


@pytest.mark.parametrize(("network", "seen"), RECURRENT, ids=["lstm", "conv_lstm"])
def test_recurrence_is_a_function(network, seen):
    """The same carry and input give the same output, and the carry that went in stays as it was."""
    x, carry = torch.randn(3, *seen), network.start(3) + 0.1
    before = carry.clone()
    y, after = network(x, carry)
    again, _ = network(x, carry)
    assert y.shape == (3, 6, *seen[1:]) and after.shape == carry.shape
    assert torch.equal(y, again) and torch.equal(carry, before) and not torch.equal(after, carry)


@pytest.mark.parametrize(("network", "seen"), RECURRENT, ids=["lstm", "conv_lstm"])
def test_what_was_seen_is_remembered(network, seen):
    """Two pasts, then the same input: the outputs differ as long as something is left of the pasts."""
    carries = [
        network(torch.randn(1, *seen, generator=torch.Generator().manual_seed(s)), network.start(1))[1] for s in (0, 1)
    ]
    same = torch.zeros(1, *seen)
    first, second = (network(same, carry)[0] for carry in carries)
    assert (first - second).abs().max() > 1e-3


@pytest.mark.parametrize(("network", "seen"), RECURRENT, ids=["lstm", "conv_lstm"])
def test_rows_of_a_recurrence_do_not_meet(network, seen):
    x, carry = torch.randn(3, *seen), torch.randn(network.start(3).shape)
    together = network(x, carry)[0]
    alone = torch.cat([network(x[row : row + 1], carry[row : row + 1])[0] for row in range(3)])
    assert torch.allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize(("network", "seen"), RECURRENT[1:], ids=["conv_lstm"])
def test_reduced_precision_keeps_the_dtype(network, seen):
    network.compute_dtype = torch.bfloat16
    y, after = network(torch.randn(2, *seen), network.start(2))
    network.compute_dtype = torch.float32
    assert y.dtype == after.dtype == torch.float32
