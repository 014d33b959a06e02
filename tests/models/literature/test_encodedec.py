"""A vector that moves by itself: it foretells what is certain, and of chance the mean alone, by design."""

import math
from dataclasses import replace
from functools import cache

import pytest
import torch

from tests.models.literature.test_latent_futures import ENCODEDEC, bits, movement, straight, trained, weights
from tests.models.test_known_futures import ENTROPY, OUTCOMES, START, seeded
from vfplan.models.base import Clip, Context, MonitorableModel
from vfplan.models.literature.encodedec import Encodedec
from vfplan.models.literature.encodedec_objective import EncodedecObjective
from vfplan.models.recipe import VariationalRecipe
from vfplan.pixels import area_average, unit_from_frames

SMALL = replace(ENCODEDEC, action_dim=0)


def fresh(**settings):
    torch.manual_seed(0)
    return Encodedec(replace(SMALL, **settings))


@cache
def certain():
    """Two known frames tell the third."""
    config = replace(SMALL, past_frames=2)
    return trained(config, straight, assemble=Encodedec, steps=300, kl_warmup=0.0)


def rms(images, others):
    return (images - others).square().mean(dim=(-3, -2, -1)).sqrt()


def imagine(model, clip, rng=None):
    with torch.no_grad():
        state, actions = model.encode(clip.context(model.past_frames)), clip.actions[:, model.past_frames - 1 :]
        return model.decode(model.rollout(state, actions, model.sample_noise(len(actions), 1, rng)))


def test_of_eight_ways_it_learns_their_mean():
    """Whatever the noise: an image 0.05 from the mean of all outcomes, and 0.14 from the nearest of them."""
    model = trained(SMALL, movement, assemble=Encodedec, steps=300, kl_warmup=0.0)
    start = Clip(START[:1, None].expand(64, 2, -1, -1, -1), torch.zeros(64, 1, 0))
    images, outcomes = imagine(model, start, seeded(0))[:, 0], unit_from_frames(OUTCOMES[0])
    apart = rms(outcomes, outcomes.mean(0)).mean()
    assert rms(images, outcomes.mean(0)).max() < apart / 2
    assert rms(images[:, None], outcomes).min() > 0.75 * apart
    assert bits(weights(model, movement(256, 10_000)))[0].mean() > ENTROPY


def test_what_is_certain_it_learns():
    clip = straight(256, 10_000)
    truth = unit_from_frames(clip.frames[:, 2])
    error, copying = rms(imagine(certain(), clip)[:, 0], truth), rms(unit_from_frames(clip.frames[:, 1]), truth)
    assert error.mean() < copying.mean() / 5


def test_more_steps_of_the_solver_change_little():
    clip, finer = straight(64, 10_000), fresh(past_frames=2, solver_steps=4)
    finer.load_state_dict(certain().state_dict())
    assert (imagine(finer, clip) - imagine(certain(), clip)).abs().max() < 1e-3


@torch.no_grad()
def test_only_the_wanted_steps_are_painted():
    model, clip, painted = fresh(), movement(3, 0), []
    model.decoder.register_forward_hook(lambda network, given, found: painted.append(len(found)))
    rollout = model.rollout(model.encode(clip.context(1)), torch.zeros(3, 10, 0), model.sample_noise(3, 10, seeded(0)))
    assert rollout.latents.shape == (3, 10, 16) and not painted
    images = model.decode(rollout, [9])
    assert painted == [3] and torch.allclose(images, model.decode(rollout)[:, 9:], atol=1e-6)
    smaller = model.rollout(model.encode(clip.context(1)), torch.zeros(3, 10, 0), model.sample_noise(3, 10, seeded(0)))
    halved = replace(smaller, downscale=2)
    assert torch.allclose(model.decode(halved, [9]), area_average(images, 2), atol=1e-6)


@torch.no_grad()
def test_known_actions_move_the_vector_too():
    """The context ends where its actions have led: other ones, another next frame."""
    model = fresh(past_frames=3, action_dim=2).double()
    frames = torch.randint(256, (2, 3, 3, 8, 8), generator=seeded(0), dtype=torch.uint8)
    actions, noise = torch.rand(2, 2, 2, generator=seeded(1)), model.sample_noise(2, 1, None)
    states = [model.encode(Context(frames, given)) for given in (actions, -actions)]
    ends = [model.rollout(state, torch.zeros(2, 1, 2), noise).latents for state in states]
    assert not torch.allclose(*ends)
    path = model.move(states[0].first.mean, torch.cat([actions, torch.zeros(2, 1, 2)], dim=1).double())
    assert torch.allclose(path[:, 3:], ends[0], atol=1e-12)


@torch.no_grad()
def test_every_frame_is_scored_from_the_frames_before_it():
    """A window that slides: the same as scoring each frame by itself, with its own draw."""
    model = fresh(past_frames=2, action_dim=2).double()
    frames = torch.randint(256, (3, 5, 3, 8, 8), generator=seeded(0), dtype=torch.uint8)
    actions = torch.rand(3, 4, 2, generator=seeded(1))
    clip = Clip(frames, actions)
    found = model.log_prob(clip.context(2), actions[:, 1:], frames[:, 2:], seeded(2))
    drawn = model.sample_noise(9, 1, seeded(2)).values.unflatten(0, (3, 3))
    for step in range(3):
        state = model.encode(clip.context(2, step))
        path = model.move(state.first.sample(drawn[:, step]), actions[:, step : step + 2].double())
        alone = model.emit(path[:, -1]).log_prob(frames[:, step + 2])
        assert torch.allclose(found.per_frame[:, step], alone)
    assert found.per_level.shape == (3, 3, 1)


def test_many_draws_are_a_tighter_bound():
    """G4."""
    bound, tighter = bits(weights(certain(), straight(64, 10_000), samples=16))
    assert (tighter <= bound + 1e-6).all() and tighter.mean() < bound.mean()


def test_cells_are_probabilities_of_a_frame():
    model, clip = fresh(), movement(3, 0)
    assert isinstance(model, MonitorableModel)
    with torch.no_grad():
        given = clip.context(1), clip.actions[:, 0], clip.frames[:, 1]
        cells, again = model.cell_log_prob(*given), model.cell_log_prob(*given)
        alone = model.cell_log_prob(given[0].take(torch.tensor([1])), given[1][1:2], given[2][1:2])
    assert cells.shape == (3, 8, 8) and torch.equal(cells, again) and (cells < 0).all()
    assert torch.allclose(cells[1:2], alone, atol=1e-4)


def test_a_loss_is_the_frames_and_the_divergence():
    """Without a price of the vector, the nats of all frames; with it, a share of its divergence in each."""
    model, clip, recipe = fresh(), movement(16, 0), VariationalRecipe(frames=1, kl_warmup=0.0)

    def loss(**settings):
        return next(EncodedecObjective(model, replace(recipe, **settings)).losses(clip, 0, 0, seeded(0)))

    (free, _), (priced, nats) = loss(kl_weight=0.0), loss()
    first = model.encode(clip.context(1)).first
    divergence = 0.5 * (first.mean.square() + (2 * first.log_std).exp() - 1 - 2 * first.log_std).sum(1).mean()
    assert torch.allclose((priced - free) * 3 * 64 * 2, divergence, rtol=1e-3)
    assert math.isclose(nats[1].item() * 2, divergence.item(), rel_tol=1e-5)


def test_the_published_loss_fits_the_scale_alone_to_the_likelihood():
    gradients = []
    for likelihood in (0.0, 1.0):
        model = fresh()
        model.emission.scale.data += likelihood / 10
        recipe = VariationalRecipe(frames=1, loss="published")
        next(EncodedecObjective(model, recipe).losses(movement(16, 0), 0, 0, seeded(0)))[0].backward()
        gradients.append(model.decoder.first.weight.grad)
        assert model.emission.scale.grad.abs() > 0
    assert torch.allclose(*gradients, rtol=1e-5)


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({"batch": (4, 4)}, "batch needs one number"),
        ({"lead_in": 1}, "lead_in=1 leaves none of past_frames=1"),
        ({"sampling_decay": 9}, "sampling_decay must be 0 for encodedec, which goes on from no frames; got 9"),
    ],
)
def test_recipes_that_do_not_fit_are_refused(recipe, said):
    with pytest.raises(ValueError, match=said):
        EncodedecObjective(fresh(), VariationalRecipe(**recipe))


def test_what_is_published_needs_one_scale():
    with pytest.raises(ValueError, match=r"needs model\.emission=sigma or laplace; got gaussian"):
        EncodedecObjective(fresh(emission="gaussian"), VariationalRecipe(loss="published"))
