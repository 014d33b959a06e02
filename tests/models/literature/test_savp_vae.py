"""SAVP-VAE learns randomness and is still where nothing moves; what its networks are shown, they use."""

import math

import pytest
import torch

from tests.models.literature.test_latent_futures import bits, movement, weights
from tests.models.literature.test_warped_futures import trained
from tests.models.test_known_futures import ENTROPY, OUTCOMES, seeded
from vfplan.models.base import Clip, Context
from vfplan.models.literature.savp_vae import SavpVae, SavpVaeConfig

TINY = {"image_size": 8, "past_frames": 1, "action_dim": 0, "width": 8}


def savp(**settings):
    torch.manual_seed(0)
    return SavpVae(SavpVaeConfig(**TINY | settings))


def grey(rows, seed):
    """`movement` between a quarter and three quarters of the range: the ends are where one scale cannot be narrow."""
    clip = movement(rows, seed)
    return Clip(clip.frames // 2 + 64, clip.actions)


def generated(generator, **changed):
    """What the emission is made of after one step; every input may be another."""
    rng = seeded(0)
    given = {
        "newest": torch.rand(2, 3, 8, 8, generator=rng),
        "first": torch.rand(2, 3, 8, 8, generator=rng),
        "action": torch.randn(2, 4, generator=rng),
        "latent": torch.randn(2, 8, generator=rng),
        "carries": generator.start(2),
    }
    with torch.no_grad():
        return generator(**given | changed)


@pytest.mark.parametrize(
    "changed",
    [
        {"newest": torch.zeros(2, 3, 8, 8)},
        {"first": torch.zeros(2, 3, 8, 8)},
        {"action": torch.ones(2, 4)},
        {"latent": torch.ones(2, 8)},
    ],
    ids=lambda given: next(iter(given)),
)
def test_a_generator_uses_all_it_is_shown(changed):
    generator = savp(action_dim=4).generator
    assert not torch.allclose(generated(generator)[0], generated(generator, **changed)[0], atol=1e-5)


def test_latents_are_smoothed_over_time():
    """The latent of the step before still matters, by the carry of the LSTM alone."""
    generator = savp(action_dim=4).generator
    start = generator.start(2)
    carries = [generated(generator, latent=torch.full((2, 8), value))[1][0] for value in (-2.0, 2.0)]
    first, second = (generated(generator, carries=(carry, *start[1:]))[0] for carry in carries)
    assert not torch.allclose(first, second, atol=1e-5)


@pytest.mark.parametrize("prior", ["fixed", "learned"])
def test_scores_do_not_look_ahead(prior):
    """G5: neither later frames nor later actions change what a frame cost."""
    model, rng = savp(prior=prior, action_dim=4), seeded(0)
    frames = torch.randint(256, (2, 4, 3, 8, 8), generator=rng, dtype=torch.uint8)
    actions = torch.rand(2, 3, 4, generator=rng)
    other, else_ = frames.clone(), actions.clone()
    other[:, 3:], else_[:, 2:] = 255 - other[:, 3:], -else_[:, 2:]
    with torch.no_grad():
        found = [
            model.log_prob(Context(f[:, :1], a[:, :0]), a, f[:, 1:], seeded(1)).per_frame
            for f, a in ((frames, actions), (other, else_))
        ]
    assert torch.equal(found[0][:, :2], found[1][:, :2]) and not torch.equal(found[0][:, 2], found[1][:, 2])


@torch.no_grad()
def test_a_learned_prior_is_told_the_action_and_the_past():
    model = savp(prior="learned", action_dim=4)
    frames = torch.randint(256, (2, 1, 3, 8, 8), generator=seeded(0), dtype=torch.uint8)
    state = model.encode(Context(frames, torch.zeros(2, 0, 4)))
    here, moved = (model.prior(state, torch.full((2, 4), value), ())[0].mean for value in (0.0, 1.0))
    _, later = model.prior(state, torch.zeros(2, 4), ())
    again = model.prior(later, torch.zeros(2, 4), ())[0].mean
    assert not torch.equal(here, moved) and not torch.equal(here, again)
    fixed = savp(action_dim=4)
    standard = fixed.prior(fixed.encode(Context(frames, torch.zeros(2, 0, 4))), torch.zeros(2, 4), ())[0]
    assert (standard.mean == 0).all() and (standard.log_std == 0).all()


def test_copies_tell_which_way():
    """G1 and G4: 6.5 bits, 4.4 importance-weighted; 17.5 if the LSTM alone shows latents to the generator."""
    model = trained(savp(emission="copy"), movement, 400, kl_start=0.2, kl_warmup=0.4)
    bound, tighter = bits(weights(model, movement(512, 10_000), samples=128))
    error = bound.std().item() / math.sqrt(len(bound))
    assert ENTROPY - 3 * error <= tighter.mean() <= bound.mean() + 1e-6
    assert bound.mean() < 12 and tighter.mean() < 9


def test_latents_pay_for_themselves():
    """With one scale: far cheaper than the mean of all futures can be, 1188 bits by its error."""
    model = trained(savp(), grey, 200, kl_warmup=0.4)
    outcomes = (OUTCOMES // 2 + 64).double() / 256
    error = (outcomes - outcomes.mean(1, keepdim=True)).square().mean().sqrt().item()
    without = outcomes[0, 0].numel() * math.log2(256 * error * math.sqrt(2 * math.pi * math.e))
    bound, tighter = bits(weights(model, grey(512, 10_000), samples=64))
    assert ENTROPY < tighter.mean() <= bound.mean() + 1e-6
    assert bound.mean() < without / 2


def test_a_still_scene_stays():
    """Scenes that never change, of random colours: within 0.01 of the range, ten steps on."""

    def still(rows, seed):
        frames = torch.randint(64, 192, (rows, 1, 3, 2, 2), generator=seeded(seed), dtype=torch.uint8)
        frames = frames.repeat_interleave(4, 3).repeat_interleave(4, 4).expand(-1, 2, -1, -1, -1)
        return Clip(frames, torch.zeros(rows, 1, 0))

    model, clip = trained(savp(), still, 200), still(16, 10_000)
    with torch.no_grad():
        state = model.encode(clip.context(1))
        images = model.rollout(state, torch.zeros(16, 10, 0), model.sample_noise(16, 10, seeded(0)))
    assert (images[:, -1] - model.images(clip.frames[:, 0])).square().mean().sqrt() < 0.01
