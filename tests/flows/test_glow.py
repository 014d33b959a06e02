"""The layers of Glow, in float64: round trips and log-determinants wherever they are used."""

import pytest
import torch

from vfplan.flows import (
    ActNorm,
    AdditiveCoupling,
    Bijection,
    GlowLevel,
    GlowStep,
    SigmoidCoupling,
    Squeeze,
    initialise_actnorms,
)
from vfplan.flows.gated_net import GatedNet
from vfplan.flows.glow_coupling import MIN_SCALE

SHAPE = (4, 4, 4)
NET = {"width": 6, "activation": "gatu"}


class LevelAsBijection(Bijection):
    """A level with its latent and, below the top, its coarser image flattened into one vector."""

    def __init__(self, **settings):
        super().__init__()
        self.level = GlowLevel(SHAPE[0], steps=2, **NET, **settings)

    def forward(self, x):
        latent, coarse, log_det = self.level(x)
        return torch.cat([part.flatten(1) for part in (latent, coarse) if part is not None], dim=1), log_det

    def inverse(self, y):
        size = (SHAPE[1] // 2, SHAPE[2] // 2)
        latent, coarse = y.split([self.level.latent_channels * 4, self.level.coarse_channels * 4], dim=1)
        coarse = coarse.view(len(y), -1, *size) if self.level.coarse_channels else None
        x = self.level.inverse(latent.view(len(y), -1, *size), coarse)
        return x, -self.level(x)[2]


LAYERS = {
    "squeeze": Squeeze,
    "actnorm": lambda: ActNorm(SHAPE[0]),
    "additive": lambda: AdditiveCoupling(SHAPE[0], **NET),
    "additive_relu": lambda: AdditiveCoupling(SHAPE[0], width=6, activation="relu"),
    "affine": lambda: SigmoidCoupling(SHAPE[0], **NET),
    "affine_odd_channels": lambda: SigmoidCoupling(SHAPE[0] + 1, **NET),
    "step": lambda: GlowStep(SHAPE[0], coupling="affine", **NET),
    "affine_level": lambda: LevelAsBijection(coupling="affine", top=False),
    "additive_level": lambda: LevelAsBijection(coupling="additive", top=False),
    "top_level": lambda: LevelAsBijection(coupling="affine", top=True),
}


def data(rows, layer_name=""):
    """Smooth images with pixel noise, all values within [-0.5, 0.5)."""
    channels = SHAPE[0] + ("odd" in layer_name)
    return 0.6 * torch.rand(rows, channels, 1, 1, dtype=torch.float64) - 0.5 + 0.2 * torch.rand(rows, channels, 4, 4)


@pytest.fixture(params=["initialised", "uninitialised"])
def initialised(request):
    return request.param == "initialised"


@pytest.fixture(params=LAYERS)
def named_layer(request, initialised):
    torch.manual_seed(0)
    layer = LAYERS[request.param]().double()
    if initialised:
        initialise_actnorms(lambda: layer(data(64, request.param)), [layer])
    for parameter in layer.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)  # far from the zeros that some of them start as
    return request.param, layer


@pytest.fixture(params=["data", "samples", "far_out", "flat"])
def layer_and_input(request, named_layer):
    name, layer = named_layer
    x = data(3, name)
    if request.param == "samples":
        x = layer.inverse(torch.randn_like(layer(x)[0]))[0].detach()
    elif request.param == "far_out":
        x = 30 * torch.randn_like(x)
    elif request.param == "flat":
        x = torch.full_like(x, 0.25)
    return layer, x


def test_inverse_undoes_forward(layer_and_input):
    layer, x = layer_and_input
    y, log_det = layer(x)
    back, inverse_log_det = layer.inverse(y)
    assert torch.allclose(back, x, rtol=1e-9, atol=1e-9)
    assert torch.allclose(inverse_log_det, -log_det, rtol=1e-9, atol=1e-9)
    assert log_det.shape == (len(x),)


def test_log_determinant_is_that_of_the_jacobian(layer_and_input):
    layer, x = layer_and_input
    _, log_det = layer(x)
    for row in range(2):
        jacobian = torch.autograd.functional.jacobian(
            lambda v: layer(v.view_as(x[:1]))[0].flatten(), x[row].flatten(), vectorize=True
        )
        assert torch.linalg.slogdet(jacobian).logabsdet == pytest.approx(log_det[row].item(), rel=1e-9, abs=1e-9)


def test_every_parameter_gets_a_gradient(named_layer):
    name, layer = named_layer
    y, log_det = layer(data(3, name).requires_grad_())
    (y.square().sum() + log_det.sum()).backward()
    for parameter_name, parameter in layer.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, parameter_name


def test_squeeze_puts_each_block_of_four_pixels_into_four_channels():
    x = torch.arange(16.0).view(1, 2, 2, 4)
    y, _ = Squeeze()(x)
    assert y[0, :, 0, 0].tolist() == [0, 1, 4, 5, 8, 9, 12, 13]
    assert y[0, :, 0, 1].tolist() == [2, 3, 6, 7, 10, 11, 14, 15]


def test_squeeze_refuses_an_odd_size():
    with pytest.raises(ValueError, match="even image size; got 4x5"):
        Squeeze()(torch.zeros(1, 1, 4, 5))


@pytest.mark.parametrize("kind", [AdditiveCoupling, SigmoidCoupling])
def test_couplings_refuse_a_single_channel(kind):
    with pytest.raises(ValueError, match="at least 2 channels; got 1"):
        kind(1, **NET)


def test_unknown_choices_are_refused():
    with pytest.raises(ValueError, match="affine or additive; got 'spline'"):
        GlowStep(4, coupling="spline", **NET)
    with pytest.raises(ValueError, match="gatu or relu; got 'silu'"):
        GatedNet(4, 4, width=4, activation="silu")


@pytest.mark.parametrize(("top", "latent", "coarse"), [(False, 6, 6), (True, 12, 0)])
def test_a_level_splits_half_of_the_dimensions_off(top, latent, coarse):
    level = GlowLevel(3, steps=1, width=4, coupling="affine", activation="gatu", top=top)
    assert (level.latent_channels, level.coarse_channels) == (latent, coarse)
    x = torch.randn(2, 3, 8, 8)
    found, image, log_det = level(x)
    assert found.shape == (2, latent, 4, 4) and log_det.shape == (2,)
    assert image is None if top else image.shape == (2, coarse, 4, 4)


def test_the_first_half_of_the_channels_goes_up():
    torch.manual_seed(0)
    level = GlowLevel(3, steps=2, width=4, coupling="affine", activation="gatu", top=False)
    x = torch.randn(2, 3, 8, 8)
    whole, _ = level.steps(level.squeeze(x)[0])
    latent, coarse, _ = level(x)
    assert torch.equal(torch.cat([coarse, latent], dim=1), whole)
    assert torch.equal(level.coarsen(x), coarse)


def test_the_top_level_has_no_coarser_image():
    top = GlowLevel(3, steps=1, width=4, coupling="affine", activation="gatu", top=True)
    with pytest.raises(ValueError, match="no coarser image"):
        top.coarsen(torch.zeros(1, 3, 4, 4))
    with pytest.raises(ValueError, match="coarser image of 0 channels"):
        top.inverse(torch.zeros(1, 12, 2, 2), torch.zeros(1, 12, 2, 2))


def test_three_levels_of_64x64_have_the_latents_of_the_paper_and_lose_no_dimension():
    shapes, x = [], torch.rand(1, 3, 64, 64) - 0.5
    for index in range(3):
        level = GlowLevel(x.shape[1], steps=1, width=4, coupling="additive", activation="relu", top=index == 2)
        latent, x, _ = level(x)
        shapes.append(tuple(latent.shape[1:]))
    assert shapes == [(6, 32, 32), (12, 16, 16), (48, 8, 8)]


@pytest.mark.parametrize("coupling", ["affine", "additive"])
def test_float32_inverse_error_stays_small(coupling):
    torch.manual_seed(0)
    level = GlowLevel(3, steps=4, width=24, coupling=coupling, activation="gatu", top=False)
    images = 0.6 * torch.rand(64, 3, 1, 1) - 0.5 + 0.2 * torch.rand(64, 3, 16, 16)
    initialise_actnorms(lambda: level(images), [level])
    for parameter in level.parameters():
        parameter.data += 0.02 * torch.randn_like(parameter)
    latent, coarse, _ = level(images)
    assert (level.inverse(latent, coarse) - images).abs().max() < 1e-4  # of a pixel range of 1
    noise = torch.randn_like(latent), torch.randn_like(coarse)
    again = level(level.inverse(*noise))
    assert max((a - b).abs().max() for a, b in zip(again, noise, strict=False)) < 1e-3  # of a standard deviation of 1


@pytest.mark.parametrize("size", [1e3, 1e6])
def test_the_scale_of_a_coupling_is_bounded_for_any_parameters(size):
    torch.manual_seed(0)
    coupling = SigmoidCoupling(4, **NET)
    coupling.net.last.conv.weight.data = size * torch.randn_like(coupling.net.last.conv.weight)
    x = torch.randn(8, 4, 4, 4)
    scale, _ = coupling._scale_and_shift(x[:, :2])
    assert scale.min() >= MIN_SCALE and scale.max() <= 1
    assert scale.min() < 2 * MIN_SCALE  # the bound is reached, so it is what holds
    assert coupling.inverse(x)[0].isfinite().all()


def test_a_coupling_starts_with_the_scale_of_glow():
    scale, shift = SigmoidCoupling(4, **NET)._scale_and_shift(torch.randn(2, 2, 4, 4))
    assert torch.allclose(scale, torch.sigmoid(torch.tensor(2.0)), atol=2 * MIN_SCALE)
    assert (shift == 0).all()
