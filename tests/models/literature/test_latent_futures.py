"""Models with latents learn randomness: the acceptance tests of the family, on the 8x8 miniature of `movement`.

One of eight directions, 3 bits, is drawn per episode; see `test_known_futures.py`. Where a bound is tested, it must not
be below the entropy: else something of the next frame leaks, or costs nothing.
"""

import math
from functools import cache

import pytest
import torch

from tests.models.test_known_futures import DIRECTIONS, ENTROPY, OUTCOMES, START, draw, seeded
from vfplan.data.known import Noise
from vfplan.models.base import Clip, Context, MonitorableModel
from vfplan.models.literature import svg, svg_prime
from vfplan.models.literature.encodedec import Encodedec, EncodedecConfig
from vfplan.models.literature.svg import SvgConfig
from vfplan.models.literature.svg_prime import SvgPrimeConfig
from vfplan.models.literature.vrnn import Vrnn, VrnnConfig
from vfplan.models.parts.pyramid import PyramidConfig
from vfplan.models.recipe import VariationalRecipe
from vfplan.models.registry import objective_of
from vfplan.training.learner import Learner

BITS = math.log(2)
TINY = {"image_size": 8, "past_frames": 1, "pyramid": PyramidConfig(widths=(16, 32)), "code": 32, "hidden": 64}
TINY |= {"layers": 1, "latent": 3}

VRNN = VrnnConfig(image_size=8, past_frames=1, widths=(16, 32), latent=(2, 3))
ENCODEDEC = EncodedecConfig(image_size=8, past_frames=1, widths=(16, 32), latent=16, field=32)


def no_actions(frames):
    return torch.zeros(len(frames), frames.shape[1] - 1, 0)


def movement(rows, seed):
    frames = draw(rows, seed)
    return Clip(frames, no_actions(frames))


def straight(rows, seed):
    """Three frames, a pixel per step: the first two tell all of the third."""
    rng = seeded(seed)
    ways = torch.tensor(DIRECTIONS)[torch.randint(8, (rows,), generator=rng)] // 2
    frames = torch.zeros(rows, 3, 3, 8, 8, dtype=torch.uint8)
    for row, (dx, dy) in enumerate(ways.tolist()):
        for step in range(3):
            frames[row, step, :, 3 + step * dy : 5 + step * dy, 3 + step * dx : 5 + step * dx] = 200
    return Clip(frames, no_actions(frames))


def slip(rows, seed, *, shuffled=False):
    """The action chooses the way, which is another one in a fifth of the cases."""
    rng = seeded(seed)
    chosen, other = (torch.randint(count, (rows,), generator=rng) for count in (8, 7))
    taken = torch.where(torch.rand(rows, generator=rng) < 0.2, (chosen + 1 + other) % 8, chosen)
    frames = torch.stack([START[:1].expand(rows, -1, -1, -1), OUTCOMES[0, taken]], dim=1)
    actions = torch.tensor(DIRECTIONS)[chosen.roll(1) if shuffled else chosen].float()[:, None] / 2
    return Clip(frames, actions)


def noise(rows, seed):
    source = Noise(image_size=16, length=1)
    frames = torch.stack([torch.from_numpy(source.episode(seed, row).frames) for row in range(rows)])
    frames = frames.permute(0, 1, 4, 2, 3)
    return Clip(frames, no_actions(frames))


def trained(config, clips, *, assemble=svg.assemble, steps=300, **recipe):
    """A model of which everything is small, the mean of whose weights is judged."""
    torch.manual_seed(0)
    settings = {"batch": (64,), "frames": 1, "learning_rate": 5e-3, "warmup": 30, "ema": 0.99} | recipe
    learner = Learner(assemble(config), VariationalRecipe(steps=steps, **settings), seed=0, device=torch.device("cpu"))
    for step in range(steps):
        learner.step(clips(64, step))
    return learner.averaged.eval()


@cache
def copying():
    return trained(SvgConfig(**TINY, action_dim=0, emission="copy"), movement, steps=1200, free_nats=2.08)


@torch.no_grad()
def weights(model, clip, samples=1):
    """(samples, B) nats of the frame after the context, one posterior sample each."""
    context, rest = clip.context(model.past_frames), slice(model.past_frames, None)
    actions, rng = clip.actions[:, model.past_frames - 1 :], seeded(0)
    found = [model.log_prob(context, actions, clip.frames[:, rest], rng).per_frame.sum(1) for _ in range(samples)]
    return torch.stack(found).double()


def bits(log_weights):
    """The evidence lower bound (B,) in bits, and the importance-weighted one."""
    samples = len(log_weights)
    return -log_weights.mean(0) / BITS, (math.log(samples) - log_weights.logsumexp(0)) / BITS


def divergence_bits(model, clip):
    with torch.no_grad():
        state = model.encode(clip.context(model.past_frames))
        seen = model.look(model.images(clip.frames[:, model.past_frames]))
        inferred = model.infer(state, model.actions(clip.actions[:, model.past_frames - 1]), seen, None)
    return sum(inferred.divergences()).mean().item() / BITS


def test_copying_is_close_to_the_entropy_and_never_below():
    """G1 and G4. Three seeds: 4.4 to 4.8 bits, 3.4 to 3.6 importance-weighted; without warm-up 17.4, no latent used."""
    bound, tighter = bits(weights(copying(), movement(512, 10_000), samples=128))
    error = bound.std().item() / math.sqrt(len(bound))
    assert ENTROPY - 3 * error <= tighter.mean() <= bound.mean() + 1e-6
    assert bound.mean() < 5.2 and tighter.mean() < 3.8


def test_the_latent_tells_which_way():
    assert divergence_bits(copying(), movement(512, 10_000)) > 2.5


@torch.no_grad()
def test_the_prior_goes_all_eight_ways():
    """G3: hardly ever in between. In so few steps a share is up to 28 % from 1/8: samples tell that from the truth."""
    model, count = copying(), 2000
    context = Context(START[:1, None].expand(count, -1, -1, -1, -1), torch.zeros(count, 0, 0))
    sampled = model.sample_noise(count, 1, seeded(1))
    images = model.decode(model.rollout(model.encode(context), torch.zeros(count, 1, 0), sampled))
    error = (images - OUTCOMES[:1].float() / 256).square().mean(dim=(2, 3, 4)).sqrt()
    clear = error.min(1).values < 0.1
    assert clear.float().mean() > 0.9
    counts = torch.bincount(error.argmin(1)[clear], minlength=8)
    assert (8 * counts / clear.sum() - 1).abs().max() < 0.4


def test_one_scale_for_all_is_far_from_it():
    """G1: of `sigma` it is not the latents that cost, but the pixels."""
    model = trained(SvgConfig(**TINY, action_dim=0), movement, steps=600)
    assert ENTROPY < bits(weights(model, movement(512, 10_000)))[0].mean() < 40


def test_nothing_random_needs_no_latents():
    """G2: two known frames tell the third."""
    model = trained(SvgConfig(**TINY | {"past_frames": 2}, action_dim=0, emission="copy"), straight, steps=400)
    clip = straight(200, 10_000)
    assert divergence_bits(model, clip) < 0.1
    state, actions = model.encode(clip.context(2)), clip.actions[:, 1:]
    with torch.no_grad():
        images = [model.rollout(state, actions, model.sample_noise(200, 1, rng)) for rng in (None, seeded(0))]
    same = (images[0] - images[1]).square().mean(dim=(1, 2, 3, 4)).sqrt() < 1e-3
    assert same.float().mean() > 0.99


def test_sensor_noise_costs_its_entropy():
    """G9: 4.047 bits per dimension."""
    pyramid = PyramidConfig(widths=(8, 8, 8))
    config = SvgConfig(**TINY | {"image_size": 16, "pyramid": pyramid}, action_dim=0)
    data = [noise(64, seed) for seed in range(20)]
    model = trained(config, lambda rows, step: data[step % len(data)], steps=600)
    source, clip = Noise(image_size=16), noise(64, 10_000)
    found = bits(weights(model, clip))[0].mean().item() / (3 * 16 * 16)
    assert source.entropy_bits(0) / (3 * 16 * 16) < found < 4.2


def test_wrong_actions_cost_bits():
    """G10: 1.28 bits with the actions, 3 without."""
    model = trained(SvgConfig(**TINY, action_dim=2, emission="copy"), slip, steps=800)
    true, wrong = (bits(weights(model, slip(512, 10_000, shuffled=s), samples=64))[1].mean() for s in (False, True))
    entropy = -0.8 * math.log2(0.8) - 0.2 * math.log2(0.2 / 7)
    assert entropy - 0.2 < true < entropy + 0.8
    assert wrong > true + 1


def test_maps_learn_directions_too():
    """SVG' on the same data."""
    config = SvgPrimeConfig(
        **TINY | {"code": 8, "hidden": 16, "pyramid": PyramidConfig("pooled", (8, 16))}, action_dim=0
    )
    model = trained(config, movement, assemble=svg_prime.assemble, steps=1000)
    assert ENTROPY < bits(weights(model, movement(512, 10_000)))[0].mean() < 60


@pytest.mark.parametrize("emission", ["sigma", "copy"])
def test_cells_are_probabilities_of_a_frame_under_the_prior(emission):
    """Deterministic, a cell for each place, and no row sees another's."""
    torch.manual_seed(0)
    model, clip = svg.assemble(SvgConfig(**TINY, action_dim=0, emission=emission)), movement(3, 0)
    assert isinstance(model, MonitorableModel)
    with torch.no_grad():
        given = clip.context(1), clip.actions[:, 0], clip.frames[:, 1]
        cells, again = model.cell_log_prob(*given), model.cell_log_prob(*given)
        alone = model.cell_log_prob(given[0].take(torch.tensor([1])), given[1][1:2], given[2][1:2])
    assert cells.shape == (3, 8, 8) and torch.equal(cells, again) and (cells < 0).all()
    assert torch.allclose(cells[1:2], alone, atol=1e-4)


LEARNED, FIXED = SvgConfig(**TINY), SvgConfig(**TINY | {"prior": "fixed", "skips": "last"})


@pytest.mark.parametrize(
    ("assemble", "config"), [(svg.assemble, LEARNED), (svg.assemble, FIXED), (Vrnn, VRNN), (Encodedec, ENCODEDEC)]
)
def test_scores_do_not_look_ahead(assemble, config):
    """G5: neither later frames nor later actions change what a frame cost."""
    torch.manual_seed(0)
    model, rng = assemble(config), seeded(0)
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


def test_published_is_learned_with_one_scale_only():
    recipe = VariationalRecipe(loss="published")
    with pytest.raises(ValueError, match=r"needs model\.emission=sigma or laplace; got copy"):
        objective_of(svg.assemble(SvgConfig(**TINY, emission="copy")), recipe)
    model = svg.assemble(SvgConfig(**TINY, action_dim=0))
    loss, nats = next(objective_of(model, recipe).losses(movement(16, 0), 0, 0, seeded(0)))
    loss.backward()
    assert len(nats) == 2 and model.emission.scale.grad.abs() > 0


def test_the_published_loss_fits_only_the_scale_to_the_likelihood():
    """The decoder's gradient is that of the squared error alone."""
    gradients = []
    for likelihood in (0.0, 1.0):
        torch.manual_seed(0)
        model = svg.assemble(SvgConfig(**TINY, action_dim=0))
        model.emission.scale.data += likelihood / 10
        loss, _ = next(
            objective_of(model, VariationalRecipe(loss="published")).losses(movement(16, 0), 0, 0, seeded(0))
        )
        loss.backward()
        gradients.append(model.to_code.weight.grad)
    assert torch.allclose(*gradients, rtol=1e-5)


def test_scheduled_sampling_shows_its_own_frames():
    """With a tiny k all later frames are the model's own, and what is learned differs."""
    torch.manual_seed(0)
    model, clip = svg.assemble(SvgConfig(**TINY, action_dim=0)), straight(16, 0)

    def loss(step):
        recipe = VariationalRecipe(frames=2, batch=(16,), sampling_decay=2, kl_warmup=0.0)
        return next(objective_of(model, recipe).losses(clip, step, 0, seeded(0)))[0].item()

    assert loss(0) != loss(10_000)


@pytest.mark.parametrize(
    ("recipe", "said"),
    [({"batch": (4, 4)}, "batch needs one number"), ({"lead_in": 1}, "lead_in=1 leaves none of past_frames=1")],
)
def test_recipes_that_do_not_fit_are_refused(recipe, said):
    with pytest.raises(ValueError, match=said):
        objective_of(svg.assemble(SvgConfig(**TINY)), VariationalRecipe(**recipe))
