"""Activation normalisation: set once from data, by an explicit step."""

import pytest
import torch

from vfplan.flows import ActNorm, GlowLevel, initialise_actnorms
from vfplan.flows.gated_net import GatedNet


@pytest.mark.parametrize("scale", [0.01, 1.0, 300.0])
def test_after_initialisation_every_actnorm_gives_mean_0_and_deviation_1_on_the_batch(scale):
    torch.manual_seed(0)
    level, net = (
        GlowLevel(3, steps=3, width=5, coupling="affine", activation="gatu", top=False),
        GatedNet(4, 5, width=6, activation="gatu", steps=3),
    )
    images, frames = scale * torch.rand(32, 3, 8, 8) + 1, scale * torch.randn(32, 3, 4, 8, 8)

    def run():
        return level(images), net(frames)

    assert initialise_actnorms(run, [level, net]) == 3 * 3 + 2
    outputs = []
    for layer in [*level.modules(), *net.modules()]:
        if isinstance(layer, ActNorm):
            layer.register_forward_hook(lambda _layer, _inputs, output: outputs.append(output[0]))
    run()
    assert len(outputs) == 11
    for y in outputs:
        # All but the batch and the place: time steps have statistics of their own.
        assert torch.allclose(y.mean((0, -2, -1)), torch.tensor(0.0), atol=1e-4)
        assert torch.allclose(y.square().mean((0, -2, -1)).sqrt(), torch.tensor(1.0), atol=1e-3)


def test_a_constant_channel_gets_a_finite_scale():
    norm = ActNorm(2)
    x = torch.cat([torch.full((4, 1, 3, 3), 0.25), torch.randn(4, 1, 3, 3)], dim=1)
    norm.initialise(x)
    y, log_det = norm(x)
    assert (y[:, 0] == 0).all() and log_det.isfinite().all()
    assert torch.allclose(norm.inverse(y)[0], x, atol=1e-6)


def test_the_scale_of_an_actnorm_is_bounded_for_any_parameters():
    norm = ActNorm(2)
    norm.log_scale.data = torch.tensor([1e4, -1e4]).view(2, 1, 1)
    y, log_det = norm(torch.ones(1, 2, 1, 1))
    assert y.isfinite().all() and (y != 0).all() and log_det.isfinite().all()


def test_an_uninitialised_actnorm_is_the_identity_and_forward_does_not_initialise_it():
    norm, x = ActNorm(3), 5 * torch.randn(4, 3, 2, 2) + 1
    y, log_det = norm(x)
    assert torch.equal(y, x) and (log_det == 0).all() and not norm.initialised


def test_initialising_again_changes_nothing():
    torch.manual_seed(0)
    level = GlowLevel(3, steps=2, width=5, coupling="affine", activation="gatu", top=True)
    assert initialise_actnorms(lambda: level(torch.randn(8, 3, 4, 4)), [level]) == 6
    before = {name: value.clone() for name, value in level.state_dict().items()}
    assert initialise_actnorms(lambda: level(9 + torch.randn(8, 3, 4, 4)), [level]) == 0
    for layer in level.modules():
        if isinstance(layer, ActNorm):
            layer.initialise(torch.full((2, *layer.bias.shape[:-2], 4, 4), 7.0))
    assert all(torch.equal(value, before[name]) for name, value in level.state_dict().items())


def test_a_layer_that_is_reached_twice_keeps_its_first_batch():
    norm, first = ActNorm(2), 3 * torch.randn(16, 2, 4, 4) + 1
    initialise_actnorms(lambda: (norm(first), norm(100 * first)), [norm])
    assert norm(first)[0].detach().std() == pytest.approx(1.0, rel=1e-2)


def test_initialisation_survives_the_state_dict_and_keeps_the_buffer():
    norm = ActNorm(3)
    flag = norm.initialised
    initialise_actnorms(lambda: norm(torch.randn(8, 3, 4, 4)), [norm])
    assert norm.initialised is flag and flag  # in place: copies that share the buffer see it
    copy = ActNorm(3)
    assert not copy.initialised
    copy.load_state_dict(norm.state_dict())
    assert copy.initialised

    def run():
        raise AssertionError("a loaded model needs no pass")

    assert initialise_actnorms(run, [copy]) == 0


def test_initialisation_leaves_no_hooks_and_no_gradients():
    level = GlowLevel(3, steps=1, width=5, coupling="affine", activation="gatu", top=True)
    images = torch.randn(8, 3, 4, 4)
    seen = []
    initialise_actnorms(lambda: seen.append(level(images)[0]), [level])
    assert not seen[0].requires_grad
    assert not any(layer._forward_pre_hooks for layer in level.modules())
    assert level(images)[0].requires_grad


def test_a_layer_that_the_pass_does_not_reach_is_an_error():
    reached, missed = ActNorm(2), ActNorm(2)
    with pytest.raises(RuntimeError, match="all 2 ActNorm layers; 1 were not"):
        initialise_actnorms(lambda: reached(torch.randn(4, 2, 3, 3)), [reached, missed])
    assert not missed._forward_pre_hooks
