"""Components are found, one for each object, and move on steadily; of eight futures they find none."""

import math
from functools import cache

import pytest
import torch

from tests.models.literature.test_vgan import stage
from tests.models.test_known_futures import ENTROPY, OUTCOMES, START, draw, seeded
from vfplan.models.base import Clip, Context, LikelihoodModel
from vfplan.models.literature.ddpae import Ddpae, DdpaeConfig
from vfplan.models.literature.ddpae_objective import DdpaeRecipe
from vfplan.models.parts.pyramid import PyramidConfig
from vfplan.models.registry import objective_of
from vfplan.training.learner import Learner

SIDE = 16  # pixels
COLOURS = torch.tensor([[230.0, 40.0, 40.0], [40.0, 40.0, 230.0]])
TINY = {"pyramid": PyramidConfig(widths=(16, 32)), "code": 32, "content": 8, "size": 0.35}
TINY |= {"picture": PyramidConfig(widths=(16,)), "picture_side": 8}
CONFIG = DdpaeConfig(image_size=SIDE, action_dim=0, **TINY)
RECIPE = {"batch": (48,), "frames": 3, "learning_rate": 1e-2, "warmup": 20, "ema": 0.98}


def discs(centres, radius=2.7):
    """How much of each pixel (..., SIDE, SIDE) a disc covers whose centre (..., 2) is given in pixels."""
    grid = torch.arange(SIDE) + 0.5
    away = [(grid - centres[..., axis, None]).square() for axis in (0, 1)]
    return (radius + 0.5 - (away[0][..., None, :] + away[1][..., :, None]).sqrt()).clamp(0, 1)


def two(rows, seed, length, fastest):
    """A red disc on the left, a blue one on the right, each at a speed of its own (pixels per step and axis).

    Clips, centres (B, L, 2, 2) in pixels, and what of each pixel each covers (B, L, 2, SIDE, SIDE).
    """
    rng = seeded(seed)
    low = torch.tensor([[3.5, 5.0], [9.5, 5.0]])
    start = low + torch.tensor([3.0, 6.0]) * torch.rand(rows, 2, 2, generator=rng)
    speed = fastest * (2 * torch.rand(rows, 2, 2, generator=rng) - 1)
    centres = start[:, None] + torch.arange(length)[None, :, None, None] * speed[:, None]
    covered, frames = discs(centres), torch.full((rows, length, 3, SIDE, SIDE), 30.0)
    for disc, colour in enumerate(COLOURS):
        frames = frames + covered[:, :, disc, None] * (colour[:, None, None] - frames)
    return Clip(frames.round().to(torch.uint8), torch.zeros(rows, length - 1, 0)), centres, covered


@torch.enable_grad()
def trained(config, clips, *, steps, seed=0, **recipe):
    """A model that learned from a function of the step to clips."""
    torch.manual_seed(seed)
    learning = Learner(
        Ddpae(config), DdpaeRecipe(steps=steps, **RECIPE | recipe), seed=seed, device=torch.device("cpu")
    )
    for step in range(steps):
        learning.step(clips(step))
    return learning.averaged.eval()


@cache
def decomposed():
    """With seed 0 the second component finds its object later, and not yet how fast it is."""
    return trained(CONFIG, lambda step: two(32, 100_000 + step, 5, 1.2)[0], steps=500, seed=1, batch=(32,))


@torch.no_grad()
def followed(length, fastest):
    """How far (B, T, 2) pixels the middle of what each component covers is from its object, over foretold steps."""
    model, (clip, centres, _) = decomposed(), two(256, 10_000, length, fastest)
    state = model.encode(clip.context(2))
    poses = model.rollout(state, torch.zeros(256, length - 2, 0), model.sample_noise(256, length - 2, None)).poses
    # An object may be off the middle of its picture: what that makes is seen in the newest known frame.
    aside = SIDE / 2 * (state.pose[:, :, 1:] + 1) - centres[:, 1]
    return (SIDE / 2 * (poses[..., 1:] + 1) - aside[:, None] - centres[:, 2:]).norm(dim=-1)


@torch.no_grad()
def test_each_of_two_components_takes_one_of_two_objects():
    """Intersection over union 0.89 and 0.94; none is shared."""
    model, (clip, _, covered) = decomposed(), two(256, 10_000, 5, 1.2)
    state = model.encode(clip.context(2))
    layers = model.sprites.layers(model.sprites.pictures(state.content.mean), state.pose, SIDE)
    found, true = torch.cat([opacity for _, opacity in layers], dim=1) > 0.5, covered[:, 1] > 0.5
    both, either = ((op(found[:, :, None], true[:, None])).sum((3, 4)) for op in (torch.logical_and, torch.logical_or))
    overlap = (both / either.clamp_min(1)).mean(0)
    assert overlap.diagonal().min() > 0.7 and overlap.flip(0).diagonal().max() < 0.1


def test_steady_motion_goes_on_for_ten_steps():
    """And on frames: a small part of the error of copying is left."""
    assert followed(12, 1.2).median(0).values.max() < 1
    model, (clip, *_) = decomposed(), two(256, 10_000, 12, 1.2)
    noise, true = model.sample_noise(256, 10, None), model.images(clip.frames)
    with torch.no_grad():
        images = model.decode(model.rollout(model.encode(clip.context(2)), torch.zeros(256, 10, 0), noise))
    error, copying = ((x - true[:, 2:]).square().mean() for x in (images, true[:, 1:2]))
    assert error < 0.1 * copying


def test_slow_motion_goes_on_for_fifty_steps():
    """Within a pixel: 0.70 and 0.56 (median)."""
    assert followed(52, 0.1).median(0).values.max() < 1


@torch.no_grad()
def test_of_eight_directions_it_finds_none():
    """By design: nothing of the frame to come is ever shown to what b is drawn from. None of 512; 74 bits."""
    config = DdpaeConfig(image_size=8, action_dim=0, past_frames=1, components=1, **TINY | {"size": 0.5})
    model = trained(config, lambda step: Clip(draw(48, step), torch.zeros(48, 1, 0)), steps=300, frames=1)
    context = Context(START[:1, None].expand(512, -1, -1, -1, -1), torch.zeros(512, 0, 0))
    noise = model.sample_noise(512, 1, seeded(1))
    images = model.decode(model.rollout(model.encode(context), torch.zeros(512, 1, 0), noise))
    error = (images - OUTCOMES[:1].float() / 256).square().mean(dim=(2, 3, 4)).sqrt().min(1).values
    frames = draw(512, 10_000)
    found = model.log_prob(
        Context(frames[:, :1], torch.zeros(512, 0, 0)), torch.zeros(512, 1, 0), frames[:, 1:], seeded(0)
    )
    assert (error < 0.1).float().mean() < 0.5
    assert -found.per_frame.mean() / math.log(2) > 10 * ENTROPY


@torch.no_grad()
def test_a_component_goes_where_actions_say():
    """A square goes one of four ways; the first frame does not tell which."""
    config = DdpaeConfig(image_size=8, action_dim=2, past_frames=1, components=1, **TINY | {"size": 0.5})
    model = trained(config, lambda step: stage(32, step)[0], steps=350, frames=2, batch=(32,))
    clip, *_ = stage(256, 10_000)
    rollout = model.rollout(model.encode(clip.context(1)), clip.actions, model.sample_noise(256, 2, None))
    true = model.images(clip.frames)
    error, copying = ((x - true[:, 1:]).square().mean() for x in (model.decode(rollout), true[:, :1]))
    assert error < 0.05 * copying


@torch.no_grad()
def test_many_weights_tighten_the_bound():
    """Jensen's inequality, in expectation; and no frame's cost depends on later frames or actions."""
    torch.manual_seed(0)
    model = Ddpae(DdpaeConfig(image_size=SIDE, action_dim=2, **TINY)).eval()
    for parameter in model.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    clip, *_ = two(16, 0, 6, 1.2)
    actions, context = torch.rand(16, 5, 2, generator=seeded(1)), Context(clip.frames[:, :2], torch.zeros(16, 1, 2))
    rng = seeded(0)
    weights = torch.stack(
        [model.log_prob(context, actions[:, 1:], clip.frames[:, 2:], rng).per_frame for _ in range(32)]
    )
    tighter = weights.double().logsumexp(0) - math.log(32)
    assert tighter.mean() > weights.mean()
    other, else_ = clip.frames.clone(), actions.clone()
    other[:, 5:], else_[:, 4:] = 255 - other[:, 5:], -else_[:, 4:]
    one, two_ = (
        model.log_prob(context, a[:, 1:], f[:, 2:], seeded(1)).per_frame
        for f, a in ((clip.frames, actions), (other, else_))
    )
    assert torch.equal(one[:, :3], two_[:, :3]) and not torch.equal(one[:, 3], two_[:, 3])


@torch.no_grad()
def test_a_fresh_model_goes_on_as_before():
    """What is expected of b is the last known one, whatever the action, until it learns better."""
    torch.manual_seed(0)
    model, (clip, *_) = Ddpae(DdpaeConfig(image_size=SIDE, action_dim=3, **TINY)).double(), two(4, 0, 2, 1.2)
    state = model.encode(Context(clip.frames, torch.rand(4, 1, 3)))
    poses = model.rollout(state, torch.rand(4, 50, 3), model.sample_noise(4, 50, None)).poses
    steps = torch.arange(1, 51, dtype=torch.float64)[None, :, None, None]
    assert torch.allclose(poses, state.pose[:, None] + steps * state.step[:, None], atol=1e-9)


def test_the_published_loss_fits_only_the_scale_to_the_likelihood():
    gradients = []
    for likelihood in (0.0, 1.0):
        torch.manual_seed(0)
        model = Ddpae(CONFIG)
        model.emission.scale.data += likelihood / 10
        losses = objective_of(model, DdpaeRecipe(**RECIPE | {"loss": "published"})).losses(
            two(48, 0, 5, 1.2)[0], 0, 0, seeded(0)
        )
        next(losses)[0].backward()
        assert model.emission.scale.grad.abs() > 0
        gradients.append(model.to_pose.weight.grad)
    assert gradients[0].abs().sum() > 0 and torch.allclose(*gradients, rtol=1e-4, atol=1e-9)


def test_its_bound_is_one_of_latents():
    assert isinstance(Ddpae(CONFIG), LikelihoodModel) and Ddpae(CONFIG).bound == "elbo"


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({"batch": (4, 4)}, "batch needs one number for ddpae"),
        ({"lead_in": 2}, "lead_in=2 leaves none of past_frames=2"),
    ],
)
def test_recipes_that_do_not_fit_are_refused(recipe, said):
    with pytest.raises(ValueError, match=said):
        objective_of(Ddpae(CONFIG), DdpaeRecipe(**recipe))


def test_a_picture_that_cannot_be_halved_is_refused():
    with pytest.raises(ValueError, match=r"picture_side=6 cannot be halved for 2 picture\.widths"):
        DdpaeConfig(picture_side=6)
