"""One contract over every invertible layer, in float64: round trip, and log-determinants against autograd."""

import pytest
import torch

from vfplan.flows import AffineCoupling, Bijection, Chain, Conv1x1, Haar, HaarLevel

SHAPE = (6, 4, 4)


class LevelAsBijection(Bijection):
    """A level with its latent and its coarse image flattened into one vector."""

    def __init__(self, channels, **sizes):
        super().__init__()
        self.level = HaarLevel(channels, **sizes)

    def forward(self, x):
        latent, coarse, log_det = self.level(x)
        return torch.cat([latent.flatten(1), coarse.flatten(1)], dim=1), log_det

    def inverse(self, y):
        channels, rows, columns = SHAPE
        latent, coarse = y.split([3 * channels * rows * columns // 4, channels * rows * columns // 4], dim=1)
        latent = latent.view(-1, 3 * channels, rows // 2, columns // 2)
        x = self.level.inverse(latent, coarse.view(-1, channels, rows // 2, columns // 2))
        return x, -self.level(x)[2]


LAYERS = {
    "haar": Haar,
    "conv1x1": lambda: Conv1x1(SHAPE[0]),
    "coupling": lambda: AffineCoupling(SHAPE[0], width=8),
    "coupling_with_odd_channels": lambda: Chain([Haar(), AffineCoupling(4 * SHAPE[0], width=5)]),
    "chain": lambda: Chain([Conv1x1(SHAPE[0]), AffineCoupling(SHAPE[0], width=8), Haar()]),
    "level": lambda: LevelAsBijection(SHAPE[0], steps=2, width=8),
}
INPUTS = {
    "data": lambda: torch.rand(3, *SHAPE) - 0.5,
    "wide": lambda: 3 * torch.randn(3, *SHAPE),
    "far_out": lambda: 100 * torch.randn(3, *SHAPE),
    "flat": lambda: torch.full((3, *SHAPE), 0.25),
}


@pytest.fixture(params=LAYERS)
def layer(request):
    torch.manual_seed(0)
    layer = LAYERS[request.param]().double()
    for parameter in layer.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)  # far from the identity it may start as
    return layer


@pytest.mark.parametrize("kind", INPUTS)
def test_inverse_undoes_forward(layer, kind):
    x = INPUTS[kind]().double()
    y, log_det = layer(x)
    back, inverse_log_det = layer.inverse(y)
    # float64 rounding, amplified by at most the bounded scales of the layer
    assert torch.allclose(back, x, rtol=1e-9, atol=1e-9)
    assert torch.allclose(inverse_log_det, -log_det, rtol=1e-9, atol=1e-9)


def test_forward_undoes_inverse_on_noise(layer):
    y = torch.randn_like(layer(INPUTS["data"]().double())[0])
    x, _ = layer.inverse(y)
    assert torch.allclose(layer(x)[0], y, rtol=1e-9, atol=1e-9)


def test_log_determinant_is_that_of_the_jacobian(layer):
    x = INPUTS["data"]().double()
    _, log_det = layer(x)
    for row in range(len(x)):
        jacobian = torch.autograd.functional.jacobian(lambda v: layer(v.view(1, *SHAPE))[0].flatten(), x[row].flatten())
        assert torch.linalg.slogdet(jacobian).logabsdet == pytest.approx(log_det[row].item(), abs=1e-9)


def test_log_determinant_has_one_entry_per_row(layer):
    assert layer(INPUTS["data"]().double())[1].shape == (3,)


def test_every_parameter_gets_a_gradient(layer):
    y, log_det = layer(INPUTS["data"]().double().requires_grad_())  # a layer without parameters passes gradients too
    (y.square().sum() + log_det.sum()).backward()
    for name, parameter in layer.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_haar_is_orthonormal_and_its_first_band_is_twice_the_average():
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    y, _ = Haar()(x)
    assert torch.allclose(y.square().sum(), x.square().sum())
    assert torch.allclose(y[:, :3], 2 * torch.nn.functional.avg_pool2d(x, 2))


def test_haar_refuses_an_odd_size():
    with pytest.raises(ValueError, match="even image size; got 5x4"):
        Haar()(torch.zeros(1, 1, 5, 4))


def test_coupling_refuses_a_single_channel():
    with pytest.raises(ValueError, match="at least 2 channels; got 1"):
        AffineCoupling(1, width=4)


def test_scales_stay_bounded_for_any_parameters():
    torch.manual_seed(0)
    coupling, mix = AffineCoupling(4, width=4, max_log_scale=1.0), Conv1x1(4, max_log_scale=2.0)
    for parameter in [*coupling.parameters(), *mix.parameters()]:
        parameter.data = 1e3 * torch.randn_like(parameter)
    x = 1e3 * torch.randn(2, 4, 3, 3)
    assert coupling(x)[1].abs().max() <= 2 * 9 * 1.0 + 1e-4
    assert mix(x)[1].abs().max() <= 4 * 9 * 2.0 + 1e-4


def test_a_level_passes_the_area_average_whatever_its_steps_learned():
    torch.manual_seed(0)
    level = HaarLevel(3, steps=3, width=8)
    for parameter in level.parameters():
        parameter.data += torch.randn_like(parameter)
    x = torch.randn(2, 3, 8, 8)
    assert torch.allclose(level(x)[1], 2 * torch.nn.functional.avg_pool2d(x, 2), atol=1e-6)
    assert torch.allclose(level.coarsen(x), level(x)[1], atol=1e-6)


def test_float32_inverse_error_stays_small():
    torch.manual_seed(0)
    level = HaarLevel(3, steps=2, width=24)
    for parameter in level.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    x = torch.rand(8, 3, 16, 16) - 0.5
    latent, coarse, _ = level(x)
    assert (level.inverse(latent, coarse) - x).abs().max() < 1e-4  # of a pixel range of 1
