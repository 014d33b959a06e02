"""DRNET tells what from where, in two phases, and foretells one future only; on 8x8 pixels."""

import math
from functools import cache

import pytest
import torch
from torch.nn.functional import cosine_similarity, one_hot

from tests.models.test_known_futures import OUTCOMES, START, draw, seeded
from vfplan.models.base import Clip, Context, LikelihoodModel, MonitorableModel
from vfplan.models.literature.drnet import Drnet, DrnetConfig
from vfplan.models.literature.drnet_objective import DrnetRecipe
from vfplan.models.parts.pyramid import PyramidConfig
from vfplan.models.registry import objective_of
from vfplan.models.rows import NoNoise
from vfplan.training.learner import Learner

CONFIG = DrnetConfig(
    image_size=8,
    action_dim=0,
    past_frames=1,
    pyramid=PyramidConfig(widths=(16, 32)),
    content=16,
    pose=4,
    hidden=32,
    layers=1,
    judge=32,
)
RECIPE = {"batch": (64,), "frames": 1, "learning_rate": 1e-2, "warmup": 20, "ema": 0.98, "adam": (0.5, 0.99, 1e-8)}
PLACES = 3  # rows and columns of places that a square may have, two pixels apart


def scattered(rows, seed):
    """Two frames with a square of one colour, each anywhere: the clip, colours (B, 3), places (B, 2, 2)."""
    rng, grid = seeded(seed), torch.arange(8)
    colour = torch.randint(40, 256, (rows, 3), generator=rng)
    place = torch.randint(PLACES, (rows, 2, 2), generator=rng)
    column, row = (
        (grid - 2 * place[..., axis, None]).clamp(0, 3) + 2 * place[..., axis, None] == grid for axis in (0, 1)
    )
    frames = (row[..., :, None] & column[..., None, :])[:, :, None] * colour[:, None, :, None, None]
    return Clip(frames.to(torch.uint8), torch.zeros(rows, 1, 0)), colour, place


def learner(**recipe):
    torch.manual_seed(0)
    return Learner(Drnet(CONFIG), DrnetRecipe(**RECIPE | recipe), seed=0, device=torch.device("cpu"))


@cache
@torch.enable_grad()
def disentangled():
    """A model whose codes have been learned, and what judges its poses."""
    learning = learner(steps=500, codes=0.999, similarity=0.1, scene=0.1)
    for step in range(499):
        learning.step(scattered(64, step)[0])
    return learning.averaged.eval()


@torch.no_grad()
def read(rows=2048, seed=10_000):
    """Contents of first frames, poses of both, and what there is to know of them."""
    clip, colour, place = scattered(rows, seed)
    images = disentangled().images(clip.frames)
    return disentangled().contents(images[:, 0]), disentangled().poses(images), images, colour, place


def probe(code, label, classes):
    """The share of labels that a linear map of codes tells, of the half that it was not fitted to."""
    x = torch.cat([code, torch.ones(len(code), 1)], dim=1).double()
    known, asked = x.chunk(2)
    weights = torch.linalg.lstsq(known, one_hot(label[: len(known)], classes).double()).solution
    return ((asked @ weights).argmax(1) == label[len(known) :]).double().mean().item()


def centre(images):
    """The places (B, 2) of the middle of what is bright."""
    light, places = (images.sum(1) - 3 / 512).clamp_min(0), (torch.arange(8) - 1.5) / 2
    return torch.stack([(light.sum(axis) * places).sum(1) for axis in (1, 2)], dim=1) / light.sum((1, 2))[:, None]


@torch.no_grad()
def test_a_pose_moves_what_another_video_shows():
    """To 0.04 of a place (median), 0.09 in nine of ten; a place is two pixels."""
    content, poses, images, colour, place = read()
    swapped = disentangled().paint(content.take(torch.arange(2048).roll(1)), poses[:, 1])
    error = (centre(swapped) - place[:, 1]).norm(dim=1)
    assert error.quantile(0.9) < 0.25
    there = images[:, 1].amax(1, keepdim=True) > 0.1
    shown, wanted = (swapped * there).sum((2, 3)), colour.roll(1, 0).float()
    assert cosine_similarity(shown, wanted).median() > 0.95


@torch.no_grad()
def test_poses_tell_places_and_contents_colours():
    """Chance is 1/2 for whether there is much red, and 1/3 for a column."""
    content, poses, _, colour, place = read()
    red, (first, second) = (colour[:, 0] > 148).long(), place[:, :, 0].unbind(1)
    assert probe(content.code, red, 2) > 0.9 and probe(poses[:, 1], red, 2) < 1 / 2 + 0.1
    assert probe(poses[:, 1], second, PLACES) > 0.9 and probe(content.code, first, PLACES) < 1 / 3 + 0.2


@torch.no_grad()
def test_the_scene_discriminator_cannot_tell():
    _, poses, *_ = read()
    objective = objective_of(disentangled(), DrnetRecipe())
    assert abs(objective.scene_loss(poses.flatten(1)).item() - math.log(2)) < 0.02


def test_of_eight_futures_it_foretells_the_mean_pose():
    """By design: the error of poses is squared. So its frame is none of the eight."""
    learning = learner(steps=400, codes=0.6, similarity=0.1, scene=1e-3)
    for step in range(400):
        learning.step(Clip(draw(64, step), torch.zeros(64, 1, 0)))
    model = learning.averaged.eval()
    with torch.no_grad():
        outcomes = model.images(OUTCOMES)
        poses = model.poses(outcomes)
        state = model.encode(Context(START[:, None], torch.zeros(6, 0, 0)))
        rollout = model.rollout(state, torch.zeros(6, 1, 0), NoNoise())
        image = model.decode(rollout)[:, 0]
    spread = (poses - poses.mean(1, keepdim=True)).square().mean().sqrt()
    assert (rollout.poses[:, 0] - poses.mean(1)).square().mean().sqrt() < 0.25 * spread
    assert (image[:, None] - outcomes).square().mean((2, 3, 4)).sqrt().min() > 0.05


@pytest.mark.parametrize(("step", "moves"), [(0, {"the codes", "the scene discriminator"}), (6, {"the LSTM"})])
def test_each_phase_leaves_the_other_as_it_is(step, moves):
    learning = learner(steps=10, codes=0.6)
    learning.steps_done = step
    before = [[p.clone() for p in group] for _, group in learning.objective.clipped()]
    reported = learning.step(scattered(64, 0)[0])
    pairs = zip(learning.objective.clipped(), before, strict=True)
    changed = {name for (name, now), then in pairs if any(not torch.equal(*p) for p in zip(now, then, strict=True))}
    assert changed == moves and len(reported) == (4 if step == 0 else 2)


def test_codes_and_discriminator_learn_from_their_own_loss():
    model = Drnet(CONFIG)
    losses = objective_of(model, DrnetRecipe(**RECIPE)).losses(scattered(64, 0)[0], 0, 0, seeded(0))
    next(losses)[0].backward()
    assert all(p.grad is None for p in model.scenes.parameters())
    assert all(p.grad is not None for p in model.pose_encoder.parameters())
    codes = [p.grad.clone() for p in model.pose_encoder.parameters()]
    next(losses)[0].backward()
    assert all(p.grad.abs().sum() > 0 for p in model.scenes[0].parameters())
    assert all(torch.equal(p.grad, was) for p, was in zip(model.pose_encoder.parameters(), codes, strict=True))


def test_every_parameter_is_in_one_group():
    model = Drnet(CONFIG)
    grouped = [p for _, group in objective_of(model, DrnetRecipe()).clipped() for p in group]
    assert len(grouped) == len(set(grouped)) and set(grouped) == set(model.parameters())


def test_it_gives_no_likelihoods():
    assert not isinstance(Drnet(CONFIG), LikelihoodModel | MonitorableModel)


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({"batch": (4, 4)}, "batch needs one number for drnet"),
        ({"batch": (4,), "micro_batches": 4}, "a micro-batch needs 2 windows or more, of different videos; got 1"),
        ({"lead_in": 1}, "lead_in=1 leaves none of past_frames=1"),
    ],
)
def test_recipes_that_do_not_fit_are_refused(recipe, said):
    with pytest.raises(ValueError, match=said):
        objective_of(Drnet(CONFIG), DrnetRecipe(**recipe))
