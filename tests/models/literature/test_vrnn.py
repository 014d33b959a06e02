"""Latents at several resolutions: what they learn of the miniatures, and which of them sees which."""

import math
from dataclasses import replace
from functools import cache

import pytest
import torch

from tests.models.literature.test_latent_futures import VRNN, bits, movement, noise, slip, trained, weights
from tests.models.test_known_futures import seeded
from vfplan.models.base import Context
from vfplan.models.literature.vrnn import Vrnn
from vfplan.pixels import area_average

SLIPPING = -0.8 * math.log2(0.8) - 0.2 * math.log2(0.2 / 7)  # bits, given the action
SMALL = replace(VRNN, action_dim=0)


@cache
def copying():
    """Knows where actions lead; without free nats the coarse level may be left unused."""
    config = replace(SMALL, action_dim=2, emission="copy")
    return trained(config, slip, assemble=Vrnn, steps=300, free_nats=0.5)


def fresh(**settings):
    torch.manual_seed(0)
    return Vrnn(replace(SMALL, **settings)).double()


def infer(model, clip):
    with torch.no_grad():
        state = model.encode(clip.context(1))
        seen = model.look(model.images(clip.frames[:, 1]))
        return model.infer(state, model.actions(clip.actions[:, 0]), seen, None)


def test_two_levels_are_never_below_the_entropy():
    """G1 and G4: 3.8 bits, 2.4 importance-weighted, of 1.28; both levels have more than one bit."""
    model, clip = copying(), slip(512, 10_000)
    bound, tighter = bits(weights(model, clip, samples=16))
    error = bound.std().item() / math.sqrt(len(bound))
    assert SLIPPING - 3 * error <= tighter.mean() <= bound.mean() + 1e-6
    assert bound.mean() < 5.5 and tighter.mean() < 3.5
    assert all(divergence.mean() > 0.5 * math.log(2) for divergence in infer(model, clip).divergences())


def test_wrong_actions_cost_bits_at_two_levels():
    """G10: 2.4 bits with the actions, 6.0 with others."""
    true, wrong = (bits(weights(copying(), slip(256, 10_000, shuffled=s), samples=8))[1].mean() for s in (False, True))
    assert wrong > true + 1


def test_fine_noise_hardly_changes_averages():
    """By 1.2 % of the range, though it moves pixels by 11 %; a square that vanished would change them by 6 %."""
    model, clip = copying(), slip(256, 10_000)
    drawn = model.sample_noise(256, 1, seeded(0))
    coarse = replace(drawn, levels=(drawn.levels[0], torch.zeros_like(drawn.levels[1])))
    with torch.no_grad():
        both = [model.rollout(model.encode(clip.context(1)), clip.actions, noise) for noise in (drawn, coarse)]
    changed = (both[0] - both[1]).abs()
    assert changed.square().mean().sqrt() > 0.02
    assert (area_average(both[0], 8) - area_average(both[1], 8)).abs()[:, :, 0].mean() < 0.03


def test_sensor_noise_costs_its_entropy_at_two_levels():
    """G9: 4.047 bits per dimension."""
    config, data = replace(SMALL, image_size=16, widths=(8, 8)), [noise(64, seed) for seed in range(20)]
    settings = {"steps": 400, "batch": (16,), "learning_rate": 1e-2}
    model = trained(config, lambda rows, step: data[step % len(data)], assemble=Vrnn, **settings)
    found = bits(weights(model, noise(64, 10_000)))[0].mean().item() / (3 * 16 * 16)
    assert 4.047 < found < 4.25


def test_a_level_sees_the_coarser_samples_alone():
    """The coarse prior and posterior know nothing of the fine latent; the fine ones know the coarse one."""
    model = fresh()
    state = model.encode(movement(2, 0).context(1))
    seen, action = model.look(torch.rand(2, 3, 8, 8).double()), torch.zeros(2, 0).double()
    assert [shape[-1] for shape in model.latents] == [2, 4]  # coarsest first
    coarse = torch.randn(2, 3, 2, 2).double().requires_grad_()
    for foretold in (model.prior(state, action, (coarse,)), model.posterior(state, action, seen, (coarse,))):
        (gradient,) = torch.autograd.grad(foretold[0].mean.square().sum(), coarse)
        assert gradient.abs().max() > 0


def test_released_priors_see_no_other_level():
    model = fresh(dense_prior=False)
    state = model.encode(movement(2, 0).context(1))
    given = [model.prior(state, torch.zeros(2, 0).double(), (torch.randn(2, 3, 2, 2).double(),)) for _ in range(2)]
    assert torch.equal(given[0][0].mean, given[1][0].mean)


def test_every_level_has_its_share_of_the_likelihood():
    model, clip = fresh().float(), movement(4, 0)
    with torch.no_grad():
        found = model.log_prob(clip.context(1), clip.actions, clip.frames[:, 1:], seeded(0))
    assert found.per_level.shape == (4, clip.frames.shape[1] - 1, 3)  # pixels, the fine latent, the coarse one


def test_memories_begin_with_the_first_frame():
    """Two first frames, then the same one: what is foretold differs."""
    model, frames = fresh(past_frames=2).float(), movement(2, 0).frames[:, :1]
    starts = [torch.cat([f, frames], dim=1) for f in (frames, 255 - frames)]
    states = [model.encode(Context(both, torch.zeros(2, 1, 0))) for both in starts]
    rolled = [model.rollout(state, torch.zeros(2, 1, 0), model.sample_noise(2, 1, None)) for state in states]
    assert not torch.allclose(*rolled)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"image_size": 20, "widths": (4, 4, 4), "latent": (1, 0, 0)}, "image_size=20 cannot be halved for 3 widths"),
        ({"latent": (1,)}, "latent needs 2 numbers"),
        ({"latent": (0, 0)}, "latent needs 2 numbers, one for each of widths, of which one is not 0"),
    ],
)
def test_vrnns_that_are_none_are_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        replace(SMALL, **settings)
