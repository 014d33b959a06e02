"""VideoFlow: exact densities, exact marginals, bounds on likelihoods that are known."""

import math
from dataclasses import replace

import pytest
import torch

from vfplan.metrics.likelihood import bits_per_dim
from vfplan.models.base import Clip, Context
from vfplan.models.precision import in_float32
from vfplan.models.recipe import LearningConfig
from vfplan.models.videoflow.architecture import PriorConfig, VideoFlowConfig, assemble
from vfplan.models.videoflow.distributions import LatentNoise
from vfplan.models.videoflow.prior import LOG_STD_RANGE
from vfplan.pixels import LOG_LEVELS, dequantise
from vfplan.training.learner import Learner

SIZE, PAST, ACTION = 8, 2, 3
CONFIG = VideoFlowConfig(
    image_size=SIZE,
    action_dim=ACTION,
    past_frames=PAST,
    flow_width=6,
    condition_dim=8,
    priors=(PriorConfig((6, 8), (1, 1)), PriorConfig((6,), (1,)), PriorConfig((8, 8), (1, 1))),
)


@pytest.fixture
def model():
    """A small model with parameters far from their start, where a wrong log-determinant would show."""
    torch.manual_seed(0)
    model = assemble(CONFIG)
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return model.eval()


def context(rows, seed=0):
    rng = torch.Generator().manual_seed(seed)
    frames = torch.randint(0, 256, (rows, PAST, 3, SIZE, SIZE), generator=rng, dtype=torch.uint8)
    return Context(frames, torch.rand(rows, PAST - 1, ACTION, generator=rng) * 2 - 1)


def actions(rows, steps, seed=1):
    return torch.rand(rows, steps, ACTION, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def to_noise(model, state, action, image):
    """The whole model as one map from an image (1, C, Y, X) to standard normal noise (D,), given memory and action.

    Only for Gaussian priors, which are one such map.
    """
    noise = []
    for level, (latent, coarse, _) in enumerate(model.split(image)):
        prior = model.prior(level, state, action, coarse)
        noise.append(((latent - prior.mean) * (-prior.log_std).exp()).flatten())
    return torch.cat(noise)


def test_density_is_that_of_the_change_of_variables(model):
    state = model.encode(context(1))
    model, state = model.double(), state._map(torch.Tensor.double)
    action = actions(1, 1)[:, 0].double()
    image = torch.rand(1, 3, SIZE, SIZE, dtype=torch.float64) - 0.5
    jacobian = torch.autograd.functional.jacobian(
        lambda v: to_noise(model, state, action, v.view_as(image)), image.flatten()
    )
    noise = to_noise(model, state, action, image)
    standard_normal = (-0.5 * noise.square() - 0.5 * math.log(2 * math.pi)).sum()
    expected = standard_normal + torch.linalg.slogdet(jacobian).logabsdet
    found = (
        model.level_log_probs(state, action, image, torch.zeros(1, dtype=torch.float64)).sum()
        + image.numel() * LOG_LEVELS
    )
    assert found.item() == pytest.approx(expected.item(), abs=1e-7)


def test_noise_of_a_frame_gives_back_the_frame(model):
    """Rolling out the noise that a frame maps to returns that frame: sampling inverts the density."""
    model = model.double()
    with torch.no_grad():
        state = assemble(CONFIG).encode(context(1), levels=[])
        images = torch.rand(1, PAST, 3, SIZE, SIZE, dtype=torch.float64) - 0.5
        state = _encode_images(model, images, state.actions.double())
        action = actions(1, 1).double()
        image = torch.rand(1, 3, SIZE, SIZE, dtype=torch.float64) - 0.5
        flat = to_noise(model, state, action[:, 0], image)
        noise = model.sample_noise(1, 1, torch.Generator().manual_seed(0))
        sizes = [level.values.numel() for level in noise.levels]
        pairs = zip(flat.split(sizes), noise.levels, strict=True)
        parts = [LatentNoise(part.view(level.values.shape)) for part, level in pairs]
        rollout = model.rollout(state, action, type(noise)(tuple(parts)))
    assert torch.allclose(rollout.images[:, 0], image, atol=1e-9)


def _encode_images(model, images, past_actions):
    from vfplan.models.videoflow.latents import LevelMemory, VideoFlowState

    memories = []
    for latent, coarse, _ in model.split(images.flatten(0, 1)):
        shaped = None if coarse is None else coarse.unflatten(0, images.shape[:2])
        memories.append(LevelMemory(latent.unflatten(0, images.shape[:2]), shaped))
    return VideoFlowState(tuple(memories), past_actions)


def test_log_prob_is_the_sum_over_levels_with_the_constant_of_dequantisation(model):
    frames = torch.randint(0, 256, (2, 3, 3, SIZE, SIZE), dtype=torch.uint8)
    with torch.no_grad():
        found = model.log_prob(context(2), actions(2, 3), frames, torch.Generator().manual_seed(0))
    assert found.per_frame.shape == (2, 3) and found.per_level.shape == (2, 3, 3)
    assert torch.allclose(found.per_frame, found.per_level.sum(2), rtol=1e-5)
    assert sum(model.level_dims(level) for level in range(3)) == 3 * SIZE * SIZE


def test_likelihoods_refuse_reduced_precision(model):
    model.set_compute_dtype(torch.bfloat16)
    with pytest.raises(ValueError, match="float32 only"):
        model.log_prob(context(1), actions(1, 1), context(1).frames[:, :1], torch.Generator())
    with pytest.raises(ValueError, match="float32 only"):
        model.cell_log_prob(context(1), actions(1, 1)[:, 0], context(1).frames[:, 0])
    with in_float32(model):
        model.cell_log_prob(context(1), actions(1, 1)[:, 0], context(1).frames[:, 0])
    with pytest.raises(ValueError, match="float32 only"):  # what was set before holds again
        model.cell_log_prob(context(1), actions(1, 1)[:, 0], context(1).frames[:, 0])


def test_cells_sum_to_the_log_density_of_the_top_latent(model):
    frame = context(2, seed=8).frames[:, 0]
    with torch.no_grad():
        cells = model.cell_log_prob(context(2), actions(2, 1)[:, 0], frame)
        top = model.split(dequantise(frame))[model.top][0]
        prior = model.prior(model.top, model.encode(context(2)), actions(2, 1)[:, 0], None)
    assert cells.shape == (2, *top.shape[2:])
    assert torch.allclose(cells.sum((1, 2)), prior.log_prob(top), rtol=1e-5)


def test_a_changed_patch_changes_its_own_cell_and_no_other(model):
    frame = context(1, seed=8).frames[:, 0]
    changed, cell = frame.clone(), SIZE // model.latent_shape(model.top)[1]
    changed[:, :, :cell, :cell] = 255 - changed[:, :, :cell, :cell]
    with torch.no_grad():
        before, after = (model.cell_log_prob(context(1), actions(1, 1)[:, 0], image) for image in (frame, changed))
    differs = (before != after)[0]
    assert differs[0, 0] and differs.sum() == 1


def test_coarse_rollouts_are_the_area_average_of_the_full_one_under_the_same_noise(model):
    state, plan = model.encode(context(3)), actions(3, 4)
    noise = model.sample_noise(3, 4, torch.Generator().manual_seed(5))
    with torch.no_grad():
        full = model.rollout(state, plan, noise).images
        for downscale in (2, 4):
            coarse = model.rollout(state, plan, noise, downscale=downscale)
            averaged = torch.nn.functional.avg_pool2d(full.flatten(0, 1), downscale)
            # float32 rounding over four steps
            assert torch.allclose(coarse.images.flatten(0, 1) / coarse.gain, averaged, atol=1e-4)


def test_downscale_must_be_a_scale_of_the_model(model):
    with pytest.raises(ValueError, match=r"downscale must be one of \[1, 2, 4\]; got 3"):
        model.sample_noise(1, 1, None, downscale=3)


def test_noise_drawn_for_thumbnails_cannot_make_full_frames(model):
    noise = model.sample_noise(1, 1, None, downscale=4)
    with pytest.raises(ValueError, match="needs"), torch.no_grad():
        model.rollout(model.encode(context(1)), actions(1, 1), noise)


def test_standard_deviations_are_bounded_for_any_parameters(model):
    for parameter in model.parameters():
        parameter.data *= 10
    with torch.no_grad():
        prior = model.prior(model.top, model.encode(context(2)), actions(2, 1)[:, 0], None)
    low, high = LOG_STD_RANGE
    assert (prior.log_std >= low).all() and (prior.log_std <= high).all()


def test_a_fresh_model_expects_the_last_frame_again():
    torch.manual_seed(0)
    model, seen = assemble(CONFIG), context(2)
    noise = model.sample_noise(2, 3, None)
    with torch.no_grad():
        images = model.rollout(model.encode(seen), actions(2, 3), noise).images
    last = (seen.frames[:, -1:].float() + 0.5) / 256 - 0.5
    assert torch.allclose(images, last.expand_as(images), atol=1e-5)


def test_a_level_sees_as_many_remembered_frames_as_it_asks_for():
    torch.manual_seed(0)
    fine, top = (replace(CONFIG.priors[level], past_frames=frames) for level, frames in ((0, 1), (2, 2)))
    model = assemble(replace(CONFIG, priors=(fine, CONFIG.priors[1], top)))
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    seen, action, image = context(4), actions(4, 1)[:, 0], torch.rand(4, 3, SIZE, SIZE) - 0.5
    past = Context(seen.frames.clone(), seen.actions.clone())
    past.frames[:, 0], past.actions[:, 0] = 255 - past.frames[:, 0], -past.actions[:, 0]

    def scores(context):
        return model.level_log_probs(model.encode(context), action, image, torch.zeros(4))

    same = scores(seen) == scores(past)
    assert same[:, 0].all()
    assert not same[:, 1:].any()


def test_bits_per_dim_approach_a_known_entropy_from_above():
    """Frames whose brightness the action sets, with sensor noise: the entropy per dimension is that of the noise."""
    spread, shift = 12.0, 60.0
    levels = torch.arange(-400, 401, dtype=torch.float64)
    normal = torch.distributions.Normal(0.0, spread)
    mass = normal.cdf(levels + 0.5) - normal.cdf(levels - 0.5)
    entropy = -(mass[mass > 0] * mass[mass > 0].log2()).sum().item()

    def draw(rows, seed):
        rng = torch.Generator().manual_seed(seed)
        action = torch.rand(rows, 1, 1, generator=rng) * 2 - 1
        mean = 128 + shift * torch.cat([torch.zeros(rows, 1, 1), action], dim=1)[..., None, None]
        frames = (mean + spread * torch.randn(rows, 2, 3, SIZE, SIZE, generator=rng)).round().clamp(0, 255)
        return frames.to(torch.uint8), action

    torch.manual_seed(0)
    config = VideoFlowConfig(
        image_size=SIZE,
        action_dim=1,
        past_frames=1,
        flow_width=8,
        condition_dim=16,
        priors=(PriorConfig((12,), (1,)), PriorConfig((12,), (1,))),
    )
    learning = LearningConfig(
        steps=800, batch=(64, 64), learning_rate=3e-3, warmup=20, ema=0.98, imagined_steps=0, history_noise=(0.0, 0.0)
    )
    learner = Learner(assemble(config), learning, seed=0, device=torch.device("cpu"))
    for step in range(learning.steps):
        learner.step(Clip(*draw(64, seed=step)))
    frames, action = draw(512, seed=10_000)
    bits = bits_per_dim(learner.averaged, Clip(frames, action), torch.Generator().manual_seed(0)).per_episode
    wrong = bits_per_dim(learner.averaged, Clip(frames, -action), torch.Generator().manual_seed(0)).per_episode
    error = bits.std(ddof=1) / len(bits) ** 0.5
    assert bits.mean() > entropy - 3 * error
    assert bits.mean() < 1.03 * entropy
    assert wrong.mean() > bits.mean() + 0.5


def test_a_level_cannot_see_more_than_is_remembered():
    with pytest.raises(ValueError, match="a prior cannot see 3 frames of a memory of past_frames=2"):
        replace(CONFIG, priors=(PriorConfig((4,), (1,), past_frames=3),) * 3)
