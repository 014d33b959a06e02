"""The dilated gated prior: where it starts, what it may depend on, the size of the paper's model."""

import math

import pytest
import torch

from vfplan.flows import GlowLevel, initialise_actnorms
from vfplan.models.videoflow.dilated_net import fitting_dilations
from vfplan.models.videoflow.gated_prior import DilatedPrior, soft_clamp

ROWS, PAST, LATENT, UPPER, ACTION, SIZE = 2, 3, 4, 6, 3, (8, 8)


def prior(*, randomised=True, **changes):
    """A small prior in float64, by default with parameters far from the zeros that many start as."""
    settings = {
        "latent_channels": LATENT,
        "coarse_channels": UPPER,
        "size": SIZE,
        "past_frames": PAST,
        "action_dim": ACTION,
        "depth": 2,
        "width": 5,
        "dilations": (1, 2, 4),
        "activation": "gatu",
        "latent_skip": True,
    }
    torch.manual_seed(0)
    model = DilatedPrior(**(settings | changes)).double()
    if randomised:
        for parameter in model.parameters():
            parameter.data += 0.2 * torch.randn_like(parameter)
    return model


def inputs(rows=ROWS, past=PAST):
    rng = torch.Generator().manual_seed(1)
    draw = lambda *shape: torch.randn(*shape, generator=rng, dtype=torch.float64)  # noqa: E731
    return draw(rows, past, LATENT, *SIZE), draw(rows, past + 1, UPPER, *SIZE), draw(rows, past, ACTION)


def changed(found, expected):
    """Whether mean and log sigma differ anywhere."""
    return not torch.allclose(found.mean, expected.mean), not torch.allclose(found.log_std, expected.log_std)


@pytest.mark.parametrize("activation", ["gatu", "relu"])
@pytest.mark.parametrize("action_dim", [0, ACTION])
def test_starts_at_the_previous_latent_with_unit_deviation(activation, action_dim):
    past, coarse, actions = inputs()
    found = prior(randomised=False, activation=activation, action_dim=action_dim)(past, coarse, actions)
    assert torch.equal(found.mean, past[:, -1])
    assert torch.allclose(found.log_std, torch.zeros_like(found.log_std), atol=1e-12)


def test_starts_as_standard_normal_without_the_skip():
    past, coarse, actions = inputs()
    found = prior(randomised=False, latent_skip=False)(past, coarse, actions)
    assert (found.mean == 0).all() and torch.allclose(found.log_std, torch.zeros_like(found.log_std), atol=1e-12)


def test_the_skip_adds_the_previous_latent_and_nothing_else():
    past, coarse, actions = inputs()
    with_skip, without = (prior(latent_skip=skip)(past, coarse, actions) for skip in (True, False))
    assert torch.allclose(with_skip.mean, without.mean + past[:, -1])
    assert torch.equal(with_skip.log_std, without.log_std)


@pytest.mark.parametrize("past_frames", [1, 2, 3, 5])
def test_depends_on_every_past_latent(past_frames):
    past, coarse, actions = inputs(past=past_frames)
    model = prior(past_frames=past_frames, latent_skip=False)
    expected = model(past, coarse, actions)
    for step in range(past_frames):
        other = past.clone()
        other[:, step] += 1
        assert changed(model(other, coarse, actions), expected) == (True, True), step


def test_a_shallow_prior_sees_two_steps_back_per_block():
    past, coarse, actions = inputs(past=5)
    model = prior(past_frames=5, depth=1)
    expected, other = model(past, coarse, actions), past.clone()
    other[:, :2] += 1
    assert changed(model(other, coarse, actions), expected) == (False, False)
    other[:, 2] += 1
    assert changed(model(other, coarse, actions), expected) == (True, True)


def test_a_block_adds_the_sum_of_its_branches():
    past, _, actions = inputs()
    model = prior(coarse_channels=0)
    block, condition = model.net.blocks[0], model.embed_actions(actions)
    film = block.film(condition).chunk(2, dim=-1)
    branches = [branch(past, modulation) for branch, modulation in zip(block.branches, film, strict=True)]
    assert torch.allclose(block(past, condition), past + branches[0] + branches[1])
    assert [branch.first.dilation for branch in block.branches] == [1, 2]


@pytest.mark.parametrize("step", range(PAST))
def test_the_network_is_causal(step):
    past, _, actions = inputs()
    model = prior(coarse_channels=0)
    condition = model.embed_actions(actions)
    expected, other, moved = model.net(past, condition), past.clone(), condition.clone()
    other[:, step] += 1
    moved[:, step] += 1
    assert torch.equal(model.net(other, moved)[:, :step], expected[:, :step])
    assert not torch.allclose(model.net(other, condition)[:, step], expected[:, step])
    assert not torch.allclose(model.net(past, moved)[:, step], expected[:, step])


@pytest.mark.parametrize("step", range(PAST))
def test_depends_on_every_action(step):
    past, coarse, actions = inputs()
    model, other = prior(), actions.clone()
    other[:, step] += 1
    assert changed(model(past, coarse, other), model(past, coarse, actions)) == (True, True)


def test_without_actions_it_has_no_parameters_for_them_and_ignores_what_it_is_given():
    past, coarse, actions = inputs()
    model = prior(action_dim=0)
    assert not any("film" in name or "action" in name for name, _ in model.named_parameters())
    assert changed(model(past, coarse, actions[..., :0]), model(past, coarse, actions + 1)) == (False, False)


def test_depends_on_the_coarser_image():
    past, coarse, actions = inputs()
    model = prior()
    assert changed(model(past, coarse + 1, actions), model(past, coarse, actions)) == (True, True)


def test_the_coarser_image_enters_only_through_its_convolution():
    past, coarse, actions = inputs()
    model, other = prior(), coarse.clone()
    model.from_coarse.conv.weight.data[:, UPPER // 2 :] = 0
    other[:, :, UPPER // 2 :] += 1
    assert changed(model(past, other, actions), model(past, coarse, actions)) == (False, False)


def test_coarser_image_and_level_must_agree():
    past, coarse, actions = inputs()
    with pytest.raises(ValueError, match="expects a coarser image"):
        prior()(past, None, actions)
    with pytest.raises(ValueError, match="has no coarser image"):
        prior(coarse_channels=0)(past, coarse, actions)
    found = prior(coarse_channels=0)(past, None, actions)
    assert found.mean.shape == found.log_std.shape == (ROWS, LATENT, *SIZE)


def test_rows_do_not_depend_on_each_other():
    past, coarse, actions = inputs()
    model = prior()
    together = model(past, coarse, actions)
    for row in range(ROWS):
        alone = slice(row, row + 1)
        assert torch.allclose(model(past[alone], coarse[alone], actions[alone]).mean, together.mean[alone])


@pytest.mark.parametrize("randomised", [False, True])
def test_every_parameter_is_trained(randomised):
    """From the start only the zero-initialised ends get a gradient; once those have moved, every parameter does."""
    past, coarse, actions = inputs()
    model = prior(randomised=randomised)
    model(past, coarse, actions).log_prob(past[:, 0]).sum().backward()
    moving = {name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None and p.grad.abs().sum()}
    assert moving == ({"head", "net", "from_coarse", "embed_actions"} if randomised else {"head"})
    if randomised:
        assert all(parameter.grad.abs().sum() > 0 for parameter in model.parameters())


@pytest.mark.parametrize(
    ("side", "kept"), [(64, (1, 2, 4)), (32, (1, 2, 4)), (16, (1, 2, 4)), (8, (1, 2)), (4, (1,)), (2, (1,)), (1, (1,))]
)
def test_a_dilation_is_kept_where_its_kernel_fits(side, kept):
    assert fitting_dilations((1, 2, 4), (side, side)) == kept
    assert prior(size=(side, side), depth=1).net.dilations == kept


def test_a_prior_needs_a_dilation():
    with pytest.raises(ValueError, match="at least one"):
        prior(dilations=())


def test_each_time_step_has_normalisations_of_its_own():
    past, coarse, actions = inputs(rows=32)
    past = past * torch.tensor([0.1, 1.0, 10.0]).double().view(1, PAST, 1, 1, 1)
    model = prior(randomised=False)
    branches = 2 * 2  # depth 2, dilations 1 and 2 on 8x8
    assert initialise_actnorms(lambda: model(past, coarse, actions), [model]) == 2 * branches
    outputs = []
    net = model.net.blocks[0].branches[0]
    net.first_norm.register_forward_hook(lambda _layer, _inputs, output: outputs.append(output[0]))
    model(past, coarse, actions)
    assert outputs[0].shape[1:3] == (PAST, 5)
    assert torch.allclose(outputs[0].mean((0, -2, -1)), torch.zeros(PAST, 5).double(), atol=1e-9)
    assert torch.allclose(outputs[0].square().mean((0, -2, -1)), torch.ones(PAST, 5).double(), atol=1e-4)


def test_log_sigma_stays_in_its_range_for_any_parameters():
    past, coarse, actions = inputs()
    model = prior(log_std_range=(-5.0, 2.0))
    for parameter in model.parameters():
        parameter.data *= 30
    log_std = model(past, coarse, actions).log_std
    assert log_std.min() >= -5 and log_std.max() <= 2
    assert log_std.min() < -4.9 and log_std.max() > 1.9  # the bounds are reached, so they are what holds


def test_the_range_of_log_sigma_must_hold_its_start():
    with pytest.raises(ValueError, match=r"0 inside.*got \(0.5, 2\)"):
        prior(log_std_range=(0.5, 2))


def test_the_soft_clamp_is_bounded_increasing_and_nearly_the_identity_inside():
    x = torch.linspace(-60, 60, 2001, dtype=torch.float64, requires_grad=True)
    y = soft_clamp(x, -9.0, 3.0)
    assert y.min() >= -9 and y.max() <= 3
    slope = torch.autograd.grad(y.sum(), x)[0]
    within = (x > -20) & (x < 15)
    assert (slope[within] > 0).all() and (slope >= 0).all() and slope.max() <= 1
    assert soft_clamp(torch.zeros(1, dtype=torch.float64), -9.0, 3.0).abs() < 1e-12
    inside = (x >= -6) & (x <= 0)
    assert (y - x)[inside].abs().max() < 0.1
    far = soft_clamp(torch.tensor([-1e8, 1e8]), -9.0, 3.0)
    assert far.tolist() == [-9.0, 3.0]
    reference = -9.0 + math.log1p(math.exp(1.0 + 9.0)) - math.log1p(math.exp(1.0 - 3.0))
    offset = math.log((1 - math.exp(-9.0)) / (1 - math.exp(-3.0)))
    assert soft_clamp(torch.tensor([1.0 - offset], dtype=torch.float64), -9.0, 3.0).item() == pytest.approx(reference)


def test_a_reduced_precision_gives_nearly_the_same_float32_numbers():
    past, coarse, actions = (tensor.float() for tensor in inputs())
    model = prior().float()
    expected = model(past, coarse, actions)
    model.net.compute_dtype = torch.bfloat16
    found = model(past, coarse, actions)
    assert found.mean.dtype == found.log_std.dtype == torch.float32
    assert not torch.equal(found.mean, expected.mean)
    assert (found.mean - expected.mean).abs().mean() < 0.05 * (expected.mean - past[:, -1]).std()


def count(modules):
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


@pytest.mark.parametrize(
    ("coupling", "width", "codec_millions"), [("affine", 512, 52.4), ("additive", 392, 29.8)], ids=["quant", "qual"]
)
def test_the_bair_models_have_the_size_of_the_reference(coupling, width, codec_millions):
    """Kumar et al.'s BAIR settings: 24 steps, gated couplings, priors of depth 5 and width 256, no actions."""
    levels, priors, channels = [], [], 3
    with torch.device("meta"):
        for index, side in enumerate((32, 16, 8)):
            level = GlowLevel(channels, steps=24, width=width, coupling=coupling, activation="gatu", top=index == 2)
            levels.append(level)
            channels = level.coarse_channels
            priors.append(
                DilatedPrior(
                    latent_channels=level.latent_channels,
                    coarse_channels=level.coarse_channels,
                    size=(side, side),
                    past_frames=3,
                    action_dim=0,
                    depth=5,
                    width=256,
                    dilations=(1, 2, 4),
                    activation="gatu",
                    latent_skip=True,
                )
            )
    assert count(levels) / 1e6 == pytest.approx(codec_millions, abs=0.05)
    # The reference adds an unconditional top prior (0.04 M), unused log sigmas of the coarser image's convolution and a
    # padding channel of its 1x1 convolutions that is always zero (0.02 M).
    assert count(priors) / 1e6 == pytest.approx(15.1, abs=0.1)
