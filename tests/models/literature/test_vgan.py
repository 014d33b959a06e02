"""Two streams: what moves is masked, what stands still is behind it, and no frame sees later actions; on 8x8 pixels."""

import copy
from functools import cache

import pytest
import torch

from tests.models.test_known_futures import COLOURS, seeded
from vfplan.models.base import Clip, Context, LikelihoodModel, MonitorableModel
from vfplan.models.literature.vgan import CausalUp, Vgan, VganConfig
from vfplan.models.literature.vgan_objective import VganRecipe
from vfplan.models.parts.pyramid import PyramidConfig
from vfplan.models.registry import objective_of
from vfplan.training.learner import Learner

CONFIG = VganConfig(
    image_size=8,
    action_dim=2,
    pyramid=PyramidConfig(widths=(16, 32)),
    code=16,
    latent=4,
    hidden=32,
    judge=(16, 32),
)
RECIPE = {"batch": (24,), "frames": 2, "learning_rate": 1e-2, "warmup": 20, "ema": 0.99, "adam": (0.5, 0.99, 1e-8)}
RECIPE |= {"later_frames": 30.0, "adversary": 0.3}
WAYS = [(1, 0), (-1, 0), (0, 1), (0, -1)]


def stage(rows, seed):
    """A square that goes where actions say, over a grey floor: clips, where the square is (B, 3, 1, 8, 8), floors."""
    rng, grid = seeded(seed), torch.arange(8)
    colour = COLOURS[torch.randint(6, (rows,), generator=rng)]
    way = torch.tensor(WAYS)[torch.randint(4, (rows,), generator=rng)]
    floor = torch.randint(40, 120, (rows, 1, 1, 1, 1), generator=rng, dtype=torch.uint8)
    place = 3 + torch.arange(3)[None, :, None] * way[:, None]
    column, row = ((grid >= place[..., axis, None]) & (grid < place[..., axis, None] + 3) for axis in (0, 1))
    square = (row[..., :, None] & column[..., None, :])[:, :, None]
    frames = torch.where(square, colour[:, None, :, None, None], floor)
    return Clip(frames, way[:, None].expand(-1, 2, -1).float()), square, floor[:, 0]


@cache
@torch.enable_grad()
def trained():
    torch.manual_seed(0)
    learning = Learner(Vgan(CONFIG), VganRecipe(steps=600, **RECIPE), seed=0, device=torch.device("cpu"))
    for step in range(600):
        learning.step(stage(24, step)[0])
    return learning


@torch.no_grad()
def painted():
    """What the averaged model makes of unseen clips at temperature 0, and what there is to know of these."""
    model, (clip, square, floor) = trained().averaged.eval(), stage(512, 10_000)
    noise = model.sample_noise(512, 2, None)
    return model.paint(model.encode(clip.context(1)).values, clip.actions, noise.values), clip, square, floor


def test_masks_cover_what_moves_and_nothing_that_stands_still():
    """The camera stands still, so only what differs from frame 0 at some time has moved."""
    scene, clip, square, _ = painted()
    moved = (clip.frames != clip.frames[:, :1]).any(2, keepdim=True)
    masked, moving = scene.mask[:, 1:] > 0.5, moved[:, 1:] & square[:, 1:]
    still = ~moved.any(1, keepdim=True).expand_as(masked)
    assert masked[moving].float().mean() >= 0.9
    assert masked[still].float().mean() < 0.1


def test_the_background_has_no_object_where_it_moved_away():
    scene, _, square, floor = painted()
    left = square[:, 0] & ~square[:, 2]
    error = (scene.background[:, 0] - (floor + 0.5) / 256).abs().amax(1, keepdim=True)
    assert left.any() and error[left].quantile(0.95) < 0.02


def test_frames_go_where_the_actions_say():
    scene, clip, *_ = painted()
    true, foretold = clip.frames / 256, scene.frames
    copying = (true[:, 1:] - true[:, :1]).abs().mean()
    assert (foretold[:, 1:] - true[:, 1:]).abs().mean() < 0.2 * copying


def test_spectral_norms_are_still_one():
    judge = trained().model.judge
    for layer in (*judge.layers, judge.last):
        assert abs(torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2) - 1) < 1e-2


@torch.no_grad()
def test_no_frame_sees_later_actions():
    """Exactly, whatever the number of frames: also those of longer plans begin alike."""
    torch.manual_seed(0)
    model = Vgan(CONFIG).eval()
    state = model.encode(stage(3, 0)[0].context(1))
    actions, noise = torch.rand(3, 6, 2), model.sample_noise(3, 6, seeded(0))
    other = torch.cat([actions[:, :4], -actions[:, 4:]], dim=1)
    one, changed = (model.rollout(state, given, noise) for given in (actions, other))
    assert torch.equal(one[:, :4], changed[:, :4])
    assert all((one[:, step] - changed[:, step]).abs().max() > 1e-6 for step in (4, 5))
    assert torch.allclose(model.rollout(state, actions[:, :4], noise), one[:, :4], atol=1e-6)


def test_deconvolutions_reach_back_three_steps():
    layer = CausalUp(2, 3).double()
    x = torch.randn(1, 2, 6, 4, 4, dtype=torch.float64, requires_grad=True)
    y = layer(x)
    assert y.shape == (1, 3, 6, 8, 8)
    for step in range(6):
        reached = torch.autograd.grad(y[:, :, step].sum(), x, retain_graph=True)[0].abs().sum((0, 1, 3, 4)) > 0
        assert reached.nonzero().flatten().tolist() == list(range(max(0, step - 2), step + 1))


@torch.no_grad()
def test_latents_are_one_per_video_and_used():
    model = Vgan(CONFIG).eval()
    noise = model.sample_noise(3, 9, seeded(0))
    assert noise.values.shape == (3, 4)
    state, actions = model.encode(stage(3, 0)[0].context(1)), torch.zeros(3, 2, 2)
    assert not torch.allclose(*(model.rollout(state, actions, drawn) for drawn in (noise, noise.scaled(-1))))


def test_each_side_learns_from_its_own_loss():
    model = Vgan(CONFIG)
    losses = objective_of(model, VganRecipe(**RECIPE)).losses(stage(24, 0)[0], 0, 0, seeded(0))
    generator = [p for name, p in model.named_parameters() if not name.startswith("judge")]
    next(losses)[0].backward()
    assert all(p.grad is None for p in model.judge.parameters()) and all(p.grad is not None for p in generator)
    before = [p.grad.clone() for p in generator]
    next(losses)[0].backward()
    assert all(torch.equal(p.grad, was) for p, was in zip(generator, before, strict=True))
    assert all(p.grad.abs().sum() > 0 for p in model.judge.parameters())


def test_parts_of_a_batch_meet_one_discriminator():
    """Its power iteration moves once per step, so a step in two parts ends where one process of two would."""
    found = []
    for parts in ((), (0, 1), (1,)):
        torch.manual_seed(0)
        model = Vgan(CONFIG)
        objective = objective_of(model, VganRecipe(**RECIPE | {"micro_batches": 2}))
        for part in parts:
            list(objective.losses(stage(24, 0)[0], 0, part, seeded(part)))
        found.append(torch.cat([vector for name, vector in model.judge.named_buffers()]))
    before, together, alone = found
    assert torch.equal(together, alone) and not torch.equal(before, together)


def test_training_goes_on_as_if_it_had_not_been_left():
    """The vectors of the power iteration are part of what is kept."""
    learners = [Learner(Vgan(CONFIG), VganRecipe(**RECIPE), seed=0, device=torch.device("cpu")) for _ in range(2)]
    learners[0].step(stage(24, 0)[0])
    learners[1].load_state_dict(copy.deepcopy(learners[0].state_dict()))
    for step in (1, 2):
        one, other = (learner.step(stage(24, step)[0]) for learner in learners)
        assert one == other
    states = [learner.state_dict()["model"] for learner in learners]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


@torch.no_grad()
def test_networks_imagine_in_bfloat16_too():
    model, clip = Vgan(CONFIG).eval(), stage(3, 0)[0]
    noise = model.sample_noise(3, 2, None)
    full = model.rollout(model.encode(clip.context(1)), clip.actions, noise)
    model.set_compute_dtype(torch.bfloat16)
    reduced = model.rollout(model.encode(clip.context(1)), clip.actions, noise)
    assert reduced.dtype == torch.float32 and 0 < (reduced - full).abs().max() < 0.05


@torch.no_grad()
def test_without_actions_time_still_passes():
    torch.manual_seed(0)
    model = Vgan(VganConfig(image_size=8, action_dim=0, pyramid=CONFIG.pyramid, judge=(4,))).eval()
    state = model.encode(Context(stage(2, 0)[0].frames[:, :1], torch.zeros(2, 0, 0)))
    images = model.rollout(state, torch.zeros(2, 3, 0), model.sample_noise(2, 3, None))
    assert not torch.allclose(images[:, 0], images[:, 2])


def test_it_gives_no_likelihoods():
    assert not isinstance(Vgan(CONFIG), LikelihoodModel | MonitorableModel)


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({"batch": (4, 4)}, "batch needs one number for vgan"),
        ({"lead_in": 1}, "lead_in=1 leaves none of past_frames=1"),
    ],
)
def test_recipes_that_do_not_fit_are_refused(recipe, said):
    with pytest.raises(ValueError, match=said):
        objective_of(Vgan(CONFIG), VganRecipe(**recipe))
