"""A point-to-point model ends where it is told to, on different ways; without a goal it is a world model as any other.

The miniature: a square jumps at every step to one of the eight places of `movement`, 3 bits per frame.
"""

import math
from dataclasses import replace
from functools import cache

import pytest
import torch

from tests.models.literature.test_latent_futures import TINY, bits, no_actions, weights
from tests.models.test_known_futures import ENTROPY, OUTCOMES, START, seeded
from vfplan.models.base import Clip, ProposingModel
from vfplan.models.literature.p2p import P2PConfig, PointToPoint
from vfplan.models.literature.p2p_objective import P2PObjective, P2PRecipe
from vfplan.training.learner import Learner

SMALL = P2PConfig(**TINY | {"code": 32}, action_dim=0, skips="context")
RECIPE = P2PRecipe(steps=280, batch=(48,), frames=4, control=1000.0, learning_rate=5e-3, warmup=30, ema=0.99)


def jumps(rows, seed, steps=5):
    way = torch.randint(8, (rows, steps), generator=seeded(seed))
    frames = torch.cat([START[5].expand(rows, 1, -1, -1, -1), OUTCOMES[5][way]], dim=1)
    return Clip(frames, no_actions(frames))


def fresh(**settings):
    torch.manual_seed(0)
    return PointToPoint(replace(SMALL, **settings))


@cache
def trained():
    learner = Learner(fresh(), RECIPE, seed=0, device=torch.device("cpu"))
    for step in range(RECIPE.steps):
        learner.step(jumps(48, step, RECIPE.frames))
    return learner.averaged.eval()


def rms(images, others):
    return (images - others).square().mean(dim=(-3, -2, -1)).sqrt()


def propose(clip, seed):
    """Ways (B, T, ...) to the last frames of clips; seed None for temperature 0."""
    model, rows, steps = trained(), len(clip.frames), clip.actions.shape[1]
    noise = model.sample_noise(rows, steps, None if seed is None else seeded(seed))
    with torch.no_grad():
        return model.propose(clip.context(1), clip.frames[:, -1], steps, noise)


@pytest.mark.parametrize("steps", [3, 4, 6, 10])
def test_it_ends_where_it_is_told_to(steps):
    """In 95 to 98 % of the ways, of more steps than any window has, too; a square in another place is 0.2 away."""
    clip = jumps(200, 10_000, steps)
    error = rms(propose(clip, 0)[:, -1], trained().images(clip.frames[:, -1]))
    assert (error < 0.05).float().mean() > 0.9


def test_ways_to_one_goal_differ_in_the_middle_alone():
    clip = jumps(200, 10_000, 6)
    one, other = propose(clip, 0), propose(clip, 1)
    apart = rms(one, other).mean(0)
    assert apart[2] > 0.05 and apart[-1] < 0.03
    assert torch.equal(propose(clip, None), propose(clip, None))


@torch.no_grad()
def last_step(model, clip, *, told):
    """The KL divergence in bits of the last step, after all frames before it."""
    steps = clip.actions.shape[1]
    images, state = model.images(clip.frames), model.encode(clip.context(1))
    state = model.towards(state, images[:, -1]) if told else state
    for step in range(steps):
        state = model.timed(state, 1 / steps, (steps - 1 - step) / steps) if told else state
        inferred = model.infer(state, clip.actions[:, step], model.look(images[:, step + 1]), None)
        state = model.notice(inferred.state, model.look(images[:, step + 1]))
    return inferred.divergences()[0].mean().item() / math.log(2)


def test_a_known_goal_leaves_the_latent_little_to_tell():
    """2.2 bits instead of 6.8 at the last step."""
    clip = jumps(200, 10_000)
    free, told = last_step(trained(), clip, told=False), last_step(trained(), clip, told=True)
    assert free > ENTROPY and told < free / 2


def test_without_a_goal_a_bound_is_never_below_the_entropy():
    clip = jumps(256, 10_000)
    bound, tighter = (nats.mean() / 5 for nats in bits(weights(trained(), clip, samples=16)))
    assert ENTROPY < tighter <= bound


def test_likelihoods_know_no_goal():
    """Later frames do not change what earlier ones cost, whatever was told before."""
    model, clip = fresh(), jumps(4, 0)
    model.propose(clip.context(1), clip.frames[:, -1], 5, model.sample_noise(4, 5, None))
    with torch.no_grad():
        whole = model.log_prob(clip.context(1), clip.actions, clip.frames[:, 1:], seeded(1)).per_frame
        other = torch.cat([clip.frames[:, 1:3], 255 - clip.frames[:, 3:]], dim=1)
        changed = model.log_prob(clip.context(1), clip.actions, other, seeded(1)).per_frame
    assert torch.equal(whole[:, :2], changed[:, :2]) and not torch.equal(whole[:, 2:], changed[:, 2:])


def test_rows_of_proposals_do_not_meet():
    model, clip = fresh(action_dim=2).double(), jumps(3, 0)
    assert isinstance(model, ProposingModel)
    noise = model.sample_noise(3, 4, seeded(0))
    context = replace(clip.context(1), actions=torch.zeros(3, 0, 2))
    together = model.propose(context, clip.frames[:, -1], 4, noise)
    one = torch.tensor([1])
    alone = model.propose(context.take(one), clip.frames[1:2, -1], 4, noise.take(one))
    assert together.shape == (3, 4, 3, 8, 8) and torch.allclose(together[1:2], alone, atol=1e-12)


def test_only_the_prior_learns_to_end_at_the_goal():
    model = fresh()
    objective, clip = P2PObjective(model, RECIPE), jumps(4, 0)
    images = model.images(clip.frames)
    state = model.timed(model.towards(model.encode(clip.context(1)), images[:, 1]), 1.0, 0.0)
    noise = model.sample_noise(4, 1, seeded(0)).at(0)
    objective._error_of_prior(state, model.no_actions(4), images[:, 1], noise).backward()
    learning = {name.split(".")[0] for name, weight in model.named_parameters() if weight.grad is not None}
    assert learning == {"prior_net", "prior_head"} and all(weight.requires_grad for weight in model.parameters())


@pytest.mark.parametrize("loss", ["likelihood", "published"])
def test_everything_learns_of_a_step(loss):
    model = fresh(action_dim=2)
    clip = jumps(8, 0)
    clip = replace(clip, actions=torch.ones(8, 5, 2))
    objective = P2PObjective(model, replace(RECIPE, batch=(8,), loss=loss))
    total, nats = next(objective.losses(clip, 300, 0, seeded(0)))
    total.backward()
    assert all(weight.grad is not None and weight.grad.abs().max() > 0 for weight in model.parameters())
    assert objective.report([float(each) for each in nats]).keys() == {
        "bits_per_dim", "kl_bits", "goal_kl_bits", "goal_error"
    }  # fmt: skip


def test_the_last_frame_of_a_way_is_never_left_out():
    objective = P2PObjective(fresh(), RECIPE)
    ways = [objective._shown(10, seeded(seed)) for seed in range(200)]
    assert all(way[-1] == 9 and way == sorted(set(way)) for way in ways)
    assert 4 < sum(map(len, ways)) / len(ways) - 1 < 5  # half of the other nine
    assert P2PObjective(fresh(), replace(RECIPE, skipping=0.0))._shown(10, seeded(0)) == list(range(10))


@pytest.mark.parametrize("steps", [0, 4])
def test_ways_need_steps_and_noise_for_each(steps):
    model, clip = fresh(), jumps(2, 0)
    with pytest.raises(ValueError, match=rf"steps must be in \[1, 3\], those that there is noise for; got {steps}"):
        model.propose(clip.context(1), clip.frames[:, -1], steps, model.sample_noise(2, 3, None))


def test_what_leaves_no_windows_is_refused():
    for goals in (0.0, 0.001, 1.0):
        with pytest.raises(ValueError, match=f"goals={goals} of 48 windows leaves none with a goal, or none without"):
            P2PObjective(fresh(), replace(RECIPE, goals=goals))
