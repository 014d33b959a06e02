"""Models that move pixels learn randomness, too; and what one latent for a whole video means."""

import math

import pytest
import torch

from tests.models.literature.test_latent_futures import bits, movement, noise, weights
from tests.models.test_known_futures import ENTROPY, seeded
from vfplan.data.known import Noise
from vfplan.models.base import Context
from vfplan.models.literature.savp_vae import SavpVaeConfig
from vfplan.models.literature.sv2p import Sv2p, Sv2pConfig
from vfplan.models.parts.gaussian import Shared
from vfplan.models.recipe import StagedRecipe
from vfplan.models.registry import objective_of
from vfplan.training.learner import Learner

TINY = {"image_size": 8, "past_frames": 1, "action_dim": 0, "width": 8, "latent_channels": 3}
STAGES = {"prior_steps": 0.25, "kl_start": 0.5, "kl_warmup": 0.1}


def trained(model, clips, steps, **recipe):
    """The mean of the weights of a small model."""
    settings = {"batch": (64,), "frames": 1, "learning_rate": 5e-3, "warmup": 30, "ema": 0.99} | recipe
    learner = Learner(model, StagedRecipe(steps=steps, **settings), seed=0, device=torch.device("cpu"))
    for step in range(steps):
        learner.step(clips(64, step))
    return learner.averaged.eval()


def sv2p(**settings):
    torch.manual_seed(0)
    return Sv2p(Sv2pConfig(**TINY | settings))


def test_stages_are_quarters_and_a_half():
    recipe = StagedRecipe(steps=200, **STAGES)
    assert [recipe.infers(step) for step in (0, 49, 50, 199)] == [False, False, True, True]
    assert [recipe.kl_share(step) for step in (0, 99, 100, 110, 120, 199)] == [0, 0, 0, 0.5, 1, 1]


def gradients(step, **settings):
    """The loss at a step of 200, what its latents cost in nats, and the gradient of what infers them."""
    model = sv2p(**settings)
    recipe = StagedRecipe(steps=200, batch=(16,), frames=1, **STAGES)
    loss, nats = next(objective_of(model, recipe).losses(movement(16, 0), step, 0, seeded(0)))
    loss.backward()
    return loss.item(), nats, model.posterior_head.layer.weight.grad


@pytest.mark.parametrize("latent", ["time_invariant", "per_step"])
def test_each_stage_learns_what_it_is_for(latent):
    """First nothing is inferred; then it is, at no cost; then at all of its cost."""
    dims = 3 * 8 * 8
    loss, (frame, latents), gradient = gradients(0, latent=latent)
    assert gradient is None and latents == 0 and math.isclose(loss, frame / dims, rel_tol=1e-5)
    loss, (frame, latents), gradient = gradients(99, latent=latent)
    assert gradient.abs().sum() > 0 and latents > 0 and math.isclose(loss, frame / dims, rel_tol=1e-5)
    loss, (frame, latents), _ = gradients(199, latent=latent)
    assert math.isclose(loss, (frame + latents) / dims, rel_tol=1e-5)


def test_latents_of_zero_are_cdna():
    """The first stage is CDNA with noise: without it, the same frames from the same weights."""
    model, plain = sv2p(), sv2p(latent="none")
    shared = {name: value for name, value in model.state_dict().items() if name in plain.state_dict()}
    memory = "trunk.down.2.memory.gates.0.weight"  # its latents are after the maps, before what it remembers
    kept, latents = 2 * TINY["width"], TINY["latent_channels"]
    shared[memory] = torch.cat([shared[memory][:, :kept], shared[memory][:, kept + latents :]], dim=1)
    plain.load_state_dict(shared)
    clip, plan = movement(3, 0), torch.zeros(3, 4, 0)
    with torch.no_grad():
        images = [m.rollout(m.encode(clip.context(1)), plan, m.sample_noise(3, 4, None)) for m in (model, plain)]
    assert torch.allclose(*images, atol=1e-5)


def test_one_latent_serves_all_steps():
    model, varied = sv2p(), sv2p(latent="per_step")
    once, each = (m.sample_noise(2, 3, seeded(0)).levels[0] for m in (model, varied))
    assert once.shape == each.shape == (2, 3, 3, 1, 1)
    assert torch.equal(once[:, 0], once[:, 2]) and not torch.equal(each[:, 0], each[:, 2])


def scores(model, frames):
    """Log-probabilities (B, T) of all but the first frame, and those of the levels (B, T, L)."""
    plan = torch.zeros(len(frames), frames.shape[1] - 1, 0)
    with torch.no_grad():
        found = model.log_prob(Context(frames[:, :1], plan[:, :0]), plan, frames[:, 1:], seeded(1))
    return found.per_frame, found.per_level


@pytest.mark.parametrize(("latent", "ahead"), [("time_invariant", True), ("per_step", False), ("none", False)])
def test_only_a_latent_of_the_video_looks_ahead(latent, ahead):
    """G5: its posterior sees all frames, so that of its scores the sum alone is a bound."""
    model = sv2p(latent=latent)
    frames = torch.randint(256, (2, 4, 3, 8, 8), generator=seeded(0), dtype=torch.uint8)
    other = frames.clone()
    other[:, 3:] = 255 - other[:, 3:]
    before, after = scores(model, frames)[0], scores(model, other)[0]
    assert torch.equal(before[:, :2], after[:, :2]) != ahead
    assert not torch.equal(before[:, 2], after[:, 2])


def test_all_frames_bear_the_same_part_of_one_latent():
    """Together, what the latent costs: the log-ratio of one draw."""
    model = sv2p()
    frames = torch.randint(256, (2, 4, 3, 8, 8), generator=seeded(0), dtype=torch.uint8)
    cost = scores(model, frames)[1][:, :, 1]
    assert torch.allclose(cost, cost[:, :1].expand(-1, 3)) and (cost != 0).all()
    with torch.no_grad():
        state = model.encode(Context(frames[:, :1], torch.zeros(2, 0, 0)))
        q = model.survey(state, model.images(frames[:, 1:]), torch.zeros(2, 3, 0)).inferred
        z = q.sample(model.sample_noise(2, 3, seeded(1)).at(0)[0])
    normal = torch.distributions.Normal
    ratio = normal(0.0, 1.0).log_prob(z) - normal(q.mean, q.log_std.exp()).log_prob(z)
    assert torch.allclose(cost.sum(1), ratio.flatten(1).sum(1), atol=1e-4)


def test_a_sampled_divergence_is_the_analytic_one():
    """G7, of a quarter of a latent; of equal distributions nothing."""
    rng = seeded(0)
    mean, log_std, steps = *torch.randn(2, 1, 3, generator=rng).double(), torch.full((1,), 4.0)
    q, p = Shared(mean, log_std, steps), Shared(torch.zeros_like(mean), torch.zeros_like(mean), steps)
    z = q.sample(torch.randn(20_000, 3, generator=rng).double())
    drawn = q.log_prob(z) - p.log_prob(z)
    assert abs(drawn.mean() - q.divergence(p)) < 3 * drawn.std() / math.sqrt(len(z))
    assert q.divergence(q) == 0


def test_without_latents_a_probability_is_exact():
    model = sv2p(latent="none", emission="copy")
    frames = movement(4, 0).frames
    with torch.no_grad():
        plan, past = torch.zeros(4, 1, 0), Context(frames[:, :1], torch.zeros(4, 0, 0))
        found = [model.log_prob(past, plan, frames[:, 1:], seeded(seed)) for seed in (0, 1)]
    assert model.bound == "exact" and sv2p().bound == "elbo"
    assert torch.equal(found[0].per_frame, found[1].per_frame) and found[0].per_level.shape == (4, 1, 1)


@pytest.mark.parametrize("config", [Sv2pConfig, SavpVaeConfig])
def test_images_that_cannot_be_halved_are_refused(config):
    with pytest.raises(ValueError, match="image_size=20 cannot be halved 3 times"):
        config(image_size=20)


def test_copies_tell_which_way():
    """G1 and G4. 6.8 bits, 5.4 importance-weighted; 17.4 where no latent is used. Never below the entropy."""
    model = trained(sv2p(emission="copy"), movement, 400, **STAGES)
    bound, tighter = bits(weights(model, movement(512, 10_000), samples=128))
    error = bound.std().item() / math.sqrt(len(bound))
    assert ENTROPY - 3 * error <= tighter.mean() <= bound.mean() + 1e-6
    assert bound.mean() < 12 and tighter.mean() < 9


def test_sensor_noise_costs_its_entropy():
    """G9: 4.047 bits per dimension, of CDNA exactly; 4.14 after 600 steps."""
    model = sv2p(image_size=16, latent="none")
    data = [noise(16, seed) for seed in range(80)]
    model = trained(model, lambda rows, step: data[step % len(data)], 600, batch=(16,))
    source, clip = Noise(image_size=16), noise(64, 10_000)
    found = bits(weights(model, clip))[0].mean().item() / (3 * 16 * 16)
    assert source.entropy_bits(0) / (3 * 16 * 16) < found < 4.2
