"""The networks inside couplings and priors, against their formulas."""

import pytest
import torch

from vfplan.flows.edge_conv import EdgeConv
from vfplan.flows.gated_net import GatedNet


@pytest.mark.parametrize("activation", ["gatu", "relu"])
def test_a_gated_net_is_what_its_description_says(activation):
    torch.manual_seed(0)
    net = GatedNet(4, 5, width=6, activation=activation, steps=2)
    for parameter in net.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    x, scale, shift = torch.randn(3, 2, 4, 5, 5), torch.randn(3, 2, 6), torch.randn(3, 2, 6)
    hidden = net.first_norm(net.first(x))[0] * (1 + scale[..., None, None]) + shift[..., None, None]
    mixed = net.mix_norm(torch.einsum("oi,btiyx->btoyx", net.mix.weight[..., 0, 0], hidden.clamp(min=0)))[0]
    gated = mixed[:, :, :6].tanh() / (1 + (-mixed[:, :, 6:]).exp()) if activation == "gatu" else mixed.clamp(min=0)
    last = net.last
    expected = (last.conv(gated) + last.bias) * (3 * last.log_scale).exp()
    assert torch.allclose(net(x, torch.cat([scale, shift], dim=2)), expected, atol=1e-5)
    assert torch.allclose(net(x, torch.zeros(3, 2, 12)), net(x))


@pytest.mark.parametrize(("steps", "dilation"), [(1, 1), (3, 1), (3, 2)])
def test_an_edge_convolution_is_the_3d_convolution_of_marked_padding(steps, dilation):
    torch.manual_seed(0)
    conv, x = EdgeConv(4, 5, steps=steps, dilation=dilation).double(), torch.randn(2, steps, 4, 6, 7).double()
    seen = min(steps, 2)
    kernel = torch.cat([conv.weight.unflatten(1, (seen, 4)), conv.edge[:, :, None]], dim=2).transpose(1, 2)
    around = (dilation,) * 4 + (seen - 1, 0)
    volume = x.transpose(1, 2)
    padded = torch.cat(
        [
            torch.nn.functional.pad(volume, around),
            torch.nn.functional.pad(torch.zeros_like(volume[:, :1]), around, value=1.0),
        ],
        dim=1,
    )
    expected = torch.nn.functional.conv3d(padded, kernel, dilation=(1, dilation, dilation)).transpose(1, 2)
    assert torch.allclose(conv(x), expected)


def test_a_net_with_time_steps_is_causal():
    torch.manual_seed(0)
    net, x = GatedNet(4, 5, width=6, activation="gatu", steps=3), torch.randn(2, 3, 4, 5, 5)
    for parameter in net.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    later = x.clone()
    later[:, 2] += 1
    assert torch.equal(net(x)[:, :2], net(later)[:, :2])
    assert not torch.allclose(net(x)[:, 2], net(later)[:, 2])
