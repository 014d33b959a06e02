from dataclasses import replace

import pytest
import torch

from vfplan.models.hand import Hand
from vfplan.models.videoflow.architecture import PriorConfig, VideoFlowConfig, assemble
from vfplan.models.videoflow.growth import grow, grows_into

SHORT = VideoFlowConfig(
    image_size=16,
    past_frames=2,
    flow_width=8,
    condition_dim=8,
    dequantisation="uniform",
    priors=(
        PriorConfig((8, 8), (1, 1), "copy", copy_radius=1),
        PriorConfig((8, 8), (1, 1), "faithful", advection_radius=1),
    ),
)
HAND = Hand(((2.5, 0.0, 0.5), (0.0, -2.5, 0.5), (0.0, 0.0, 1.0)), action_scale=0.05, limit=0.18)
LONG = replace(SHORT, past_frames=4)


@pytest.fixture
def short():
    """A model in float64 whose every weight counts: fresh ones end in zeros."""
    torch.manual_seed(0)
    model = assemble(SHORT).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def foretold(prior, past, coarse, actions):
    """The log-probability (B,) of a latent of zeros."""
    latent = torch.zeros_like(past[:, 0])
    return prior(past, coarse, actions).log_prob(latent)


def memory(prior, coarse_channels):
    """Random latents and images of the four frames of the long memory."""
    rng = torch.Generator().manual_seed(1)
    past = torch.randn(3, 4, *prior.latent_shape, generator=rng, dtype=torch.float64)
    coarse = torch.randn(3, 5, coarse_channels, *prior.latent_shape[1:], generator=rng, dtype=torch.float64)
    actions = torch.rand(3, 4, 4, generator=rng, dtype=torch.float64) * 2 - 1
    return past, coarse if coarse_channels else None, actions


@pytest.mark.parametrize(("level", "coarse_channels"), [(0, 3), (1, 0)])
def test_same_prior_where_older_frames_repeat(short, level, coarse_channels):
    old, new = short.priors[level], grow(short, LONG).priors[level]
    past, coarse, actions = memory(old, coarse_channels)
    past[:, :2] = past[:, 2:3]  # what the short memory's older frame shows
    torch.testing.assert_close(foretold(new, past, coarse, actions), foretold(old, past, coarse, actions))


def test_older_frames_can_move_into_the_next(short):
    """What only frames beyond the short memory show reaches the next one, by the blend."""
    old, new = short.priors[1], grow(short, LONG).priors[1]
    past, coarse, actions = memory(old, 0)
    assert not torch.allclose(foretold(new, past, coarse, actions), foretold(old, past, coarse, actions))


@pytest.mark.parametrize("wanted", [replace(SHORT, hand=HAND), replace(LONG, hand=HAND)])
def test_same_prior_until_the_hand_teaches_something(short, wanted):
    old, new = short.priors[1], grow(short, wanted).priors[1]
    past, _, actions = memory(old, 0)
    past[:, :2] = past[:, 2:3]
    maps = torch.rand(3, 5, 1, *old.latent_shape[1:], dtype=torch.float64)
    torch.testing.assert_close(foretold(new, past, maps, actions), foretold(old, past, None, actions))


def test_a_level_that_sees_no_more_keeps_its_weights(short):
    wanted = replace(LONG, priors=(replace(SHORT.priors[0], past_frames=2), SHORT.priors[1]))
    long = grow(short, wanted)
    for name, value in short.state_dict().items():
        if not name.startswith("priors.1."):
            torch.testing.assert_close(long.state_dict()[name].double(), value)


@pytest.mark.parametrize(
    ("wanted", "same"),
    [
        (LONG, True),
        (SHORT, True),
        (replace(LONG, hand=HAND), True),
        (replace(SHORT, past_frames=1), False),
        (replace(LONG, flow_width=16), False),
        (replace(LONG, priors=LONG.priors[1:]), False),
        (replace(LONG, priors=tuple(replace(prior, past_frames=1) for prior in LONG.priors)), False),
    ],
)
def test_only_memory_and_hand_may_grow(wanted, same):
    assert grows_into(SHORT, wanted) is same


def test_what_is_told_of_the_hand_is_not_forgotten():
    assert not grows_into(replace(SHORT, hand=HAND), SHORT)
    assert not grows_into(replace(SHORT, hand=HAND), replace(SHORT, hand=replace(HAND, limit=0.1)))
