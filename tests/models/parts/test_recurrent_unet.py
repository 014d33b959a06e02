"""A U-Net of memories is a function, gives back the size, and uses what it is shown; so does what sees pairs."""

import pytest
import torch

from vfplan.models.parts.pair_encoder import PairEncoder
from vfplan.models.parts.recurrent_unet import RecurrentUNet, Scale

DOWN, UP = [Scale(2, 3, 2), Scale(3, 4, 1)], [Scale(4, 3, 1), Scale(5)]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def network(size=8, everywhere=2, coarsest=1):
    torch.manual_seed(0)
    return RecurrentUNet(3, DOWN, UP, size, everywhere=everywhere, coarsest=coarsest).double()


def inputs(size=8, rows=2):
    shapes = (rows, 3, size, size), (rows, 2), (rows, 1, size // 4, size // 4)
    return [torch.randn(shape, generator=seeded(), dtype=torch.float64) for shape in shapes]


@pytest.mark.parametrize("size", [4, 8, 16])
def test_maps_have_the_size_of_their_scale(size):
    net = network(size)
    image, told, coarse = inputs(size)
    code, maps, carries = net(image, told, net.start(2), (coarse,))
    assert code.shape == (2, net.code, size // 4, size // 4) and maps.shape == (2, net.width, size, size)
    assert [carry.shape for carry in carries] == [carry.shape for carry in net.start(2)]


def test_rows_of_a_u_net_do_not_meet():
    net = network()
    image, told, coarse = inputs(rows=3)
    together = net(image, told, net.start(3), (coarse,))[1]
    each = [net(image[r : r + 1], told[r : r + 1], net.start(1), (coarse[r : r + 1],))[1] for r in range(3)]
    assert torch.allclose(together, torch.cat(each), atol=1e-12)


def test_a_u_net_remembers_and_changes_nothing():
    net = network()
    image, told, coarse = inputs()
    first, before = net.start(2), [carry.clone() for carry in net.start(2)]
    _, maps, carries = net(image, told, first, (coarse,))
    _, again, _ = net(image, told, first, (coarse,))
    _, later, _ = net(image, told, carries, (coarse,))
    assert torch.equal(maps, again) and not torch.allclose(maps, later)
    assert all(torch.equal(carry, old) for carry, old in zip(first, before, strict=True))


def test_all_that_is_shown_reaches_the_maps():
    net = network()
    shown = [tensor.requires_grad_() for tensor in inputs()]
    _, maps, _ = net(*shown[:2], net.start(2), (shown[2],))
    maps.square().sum().backward()
    assert all(tensor.grad.abs().sum() > 0 for tensor in shown)
    assert all(parameter.grad is not None for parameter in net.parameters())


def test_a_u_net_that_cannot_be_halved_is_refused():
    with pytest.raises(ValueError, match="image_size=10 cannot be halved 2 times"):
        network(10)


def test_a_pair_is_seen_in_order_with_its_action():
    torch.manual_seed(0)
    encoder = PairEncoder(3, 2, 4).double()
    before, after = torch.rand(2, 2, 3, 16, 16, generator=seeded(), dtype=torch.float64)
    action = torch.zeros(2, 2, dtype=torch.float64)
    maps = encoder(before, action, after)
    assert maps.shape == (2, encoder.outputs, 2, 2)
    for other in (encoder(after, action, before), encoder(before, action + 1, after)):
        assert not torch.allclose(maps, other, atol=1e-6)
    assert torch.allclose(maps[:1], encoder(before[:1], action[:1], after[:1]), atol=1e-12)
