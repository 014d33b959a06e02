"""The prior of a level: values that move, components that start apart, settings that make no sense."""

import pytest
import torch

from vfplan.models.videoflow.architecture import PriorConfig
from vfplan.models.videoflow.distributions import LatentNoise, choose_component
from vfplan.models.videoflow.prior import LevelPrior


def advecting(**settings):
    torch.manual_seed(0)
    return LevelPrior(
        latent_channels=3, coarse_channels=0, size=(6, 6), past_frames=2, action_dim=0, widths=(8,), blocks=(1,),
        condition_dim=4, advection_radius=1, **settings,
    )  # fmt: skip


def test_what_may_move_stands_still_at_first():
    past = torch.rand(3, 2, 3, 6, 6)
    alone = advecting()(past, None, torch.zeros(3, 2, 0))
    assert (alone.mean - past[:, -1]).abs().max() < 0.01  # e^-9 of each of 17 other places
    mixture = advecting(elements="copy", components=4, copy_radius=1)(past, None, torch.zeros(3, 2, 0))
    # What components change starts apart by biases with a standard deviation of 0.05.
    assert (mixture.components.change.mean - past[:, None, -1]).abs().max() < 0.2


def test_every_colour_moves_from_a_place_of_any_frame_that_is_remembered():
    prior, past = advecting(), torch.rand(3, 2, 3, 6, 6)
    bias = prior.net.head.bias.data
    for frame in range(2):
        for place, (row, column) in enumerate((row, column) for row in (-1, 0, 1) for column in (-1, 0, 1)):
            bias[prior.head.moving] = 0.0
            bias[9 * frame + place] = 50.0
            moved = prior(past, None, torch.zeros(3, 2, 0)).mean.detach()
            expected = past[:, frame].roll((-row, -column), dims=(-2, -1))
            assert torch.allclose(moved[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1], atol=1e-6)


@pytest.mark.parametrize("likeliest", [True, False])
def test_a_sample_needs_no_component_but_the_chosen_one(likeliest):
    """Computing one component of a mixture gives the sample that the whole mixture gives."""
    prior, rng = advecting(elements="copy", components=4, copy_radius=1).double(), torch.Generator().manual_seed(2)
    for parameter in prior.parameters():
        parameter.data += 0.3 * torch.randn(parameter.shape, generator=rng, dtype=torch.float64)
    past = torch.rand(32, 2, 3, 6, 6, generator=rng, dtype=torch.float64)
    given = past, None, torch.zeros(32, 2, 0, dtype=torch.float64)
    values, choices = torch.randn(2, 32, 3, 6, 6, generator=rng, dtype=torch.float64)
    component = torch.randn(32, generator=rng, dtype=torch.float64)
    noise = LatentNoise(values) if likeliest else LatentNoise(values, choices, component)
    whole = prior(*given)
    assert len(choose_component(whole.log_weights, noise.component).unique()) > 1
    assert torch.allclose(prior.sample(*given, noise), whole.transform(noise), atol=1e-12)


def test_components_start_as_copies_from_different_places():
    torch.manual_seed(0)
    prior = LevelPrior(
        latent_channels=2, coarse_channels=0, size=(4, 4), past_frames=1, action_dim=0, widths=(8,), blocks=(1,),
        condition_dim=4, elements="copy", components=9, copy_radius=1,
    )  # fmt: skip
    future = prior(torch.randn(3, 1, 2, 4, 4), None, torch.zeros(3, 1, 0))
    likeliest = future.components.log_source.argmax(dim=2).squeeze(2)
    assert torch.equal(likeliest, torch.arange(9)[:, None, None].expand(3, 9, 4, 4))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"components": 0}, "components must be in"),
        ({"copy_radius": -1, "elements": "copy"}, "copy_radius must be in"),
        ({"advection_radius": -1}, "advection_radius must be in"),
        ({"copy_radius": 1}, "copy_radius=1 needs elements=copy; got gaussian"),
        ({"past_frames": -1}, "past_frames must be in"),
        ({"elements": "gated"}, "elements must be gaussian or faithful or copy; got gated"),
    ],
)
def test_priors_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        PriorConfig((4,), (1,), **changes)
